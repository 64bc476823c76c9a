// Commands, files, streams and snapshots of a devbox.
import assert from 'node:assert/strict';
import { client, withDevbox } from './client.mjs';

await withDevbox(async (devbox) => {
  // Commands.
  const failed = await client.devboxes.executeAndAwaitCompletion(devbox.id, { command: 'echo out; echo err >&2; exit 3' });
  assert.deepEqual([failed.status, failed.exit_status, failed.stdout, failed.stderr], ['completed', 3, 'out\n', 'err\n']);

  // Files: as text, and as bytes that are no text.
  await client.devboxes.writeFileContents(devbox.id, { file_path: 'a/b.txt', contents: 'über 🙂\n' });
  assert.equal(await client.devboxes.readFileContents(devbox.id, { file_path: 'a/b.txt' }), 'über 🙂\n');
  const bytes = new Uint8Array(3_000_000).map((_, index) => (index * 31) & 255);
  await client.devboxes.uploadFile(devbox.id, { path: 'up.bin', file: new File([bytes], 'up.bin') });
  const down = await client.devboxes.downloadFile(devbox.id, { path: 'up.bin' });
  assert.ok(Buffer.from(await down.arrayBuffer()).equals(bytes));

  // Streams: each output comes while the command runs, for it waits for our answer to the one before.
  const execution = await client.devboxes.executeAsync(devbox.id, {
    command: 'for i in 1 2 3; do echo line $i; until [ -e ~/seen-$i ]; do sleep 0.05; done; done; echo end >&2',
  });
  let seen = '';
  for await (const chunk of await client.devboxes.executions.streamStdoutUpdates(devbox.id, execution.execution_id)) {
    seen += chunk.output;
    const last = seen.trim().split(' ').pop();
    await client.devboxes.writeFileContents(devbox.id, { file_path: `seen-${last}`, contents: '' });
  }
  assert.equal(seen, 'line 1\nline 2\nline 3\n');
  let told = '';
  for await (const chunk of await client.devboxes.executions.streamStderrUpdates(devbox.id, execution.execution_id))
    told += chunk.output;
  assert.equal(told, 'end\n');
  const ended = await client.devboxes.executions.awaitCompleted(devbox.id, execution.execution_id);
  assert.equal(ended.exit_status, 0);

  // A stream that is left before its end takes nothing else with it.
  const endless = await client.devboxes.executeAsync(devbox.id, { command: 'while echo tick; do sleep 0.05; done' });
  for await (const chunk of await client.devboxes.executions.streamStdoutUpdates(devbox.id, endless.execution_id)) {
    assert.match(chunk.output, /tick/);
    break;
  }
  await client.devboxes.executions.kill(devbox.id, endless.execution_id);

  // A snapshot, and a devbox that begins with it.
  const snapshot = await client.devboxes.snapshotDiskAsync(devbox.id, { name: 'kept' });
  const status = await client.devboxes.diskSnapshots.awaitCompleted(snapshot.id);
  assert.equal(status.status, 'complete');
  const copy = await client.devboxes.createAndAwaitRunning({ snapshot_id: snapshot.id });
  try {
    assert.equal(await client.devboxes.readFileContents(copy.id, { file_path: 'a/b.txt' }), 'über 🙂\n');
  } finally {
    await client.devboxes.shutdown(copy.id);
  }
  await client.devboxes.diskSnapshots.delete(snapshot.id);
});
console.log('done');
