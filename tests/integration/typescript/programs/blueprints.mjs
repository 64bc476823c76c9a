// A blueprint is built, and a devbox begins with what it holds.
import assert from 'node:assert/strict';
import { client } from './client.mjs';

const blueprint = await client.blueprints.createAndAwaitBuildCompleted({
  name: 'from-typescript',
  system_setup_commands: ['echo built | sudo tee /opt/built'],
});
assert.equal(blueprint.status, 'build_complete');
const logs = await client.blueprints.logs(blueprint.id);
assert.ok(logs.logs.length > 0);

const devbox = await client.devboxes.createAndAwaitRunning({ blueprint_id: blueprint.id });
try {
  const said = await client.devboxes.executeAndAwaitCompletion(devbox.id, { command: 'cat /opt/built' });
  assert.equal(said.stdout, 'built\n');
} finally {
  await client.devboxes.shutdown(devbox.id);
}
await client.blueprints.delete(blueprint.id);
console.log('done');
