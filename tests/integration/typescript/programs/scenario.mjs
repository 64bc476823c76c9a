// A scenario from its making to its score, solved and not solved.
import assert from 'node:assert/strict';
import { client, makeScenario } from './client.mjs';

const scenario = await makeScenario('hello from TypeScript');

async function attempt(command) {
  const run = await client.scenarios.startRunAndAwaitEnvReady({ scenario_id: scenario.id });
  assert.equal(run.state, 'running');
  const turn = await client.devboxes.executeAndAwaitCompletion(run.devbox_id, { command });
  assert.equal(turn.exit_status, 0);
  return run.id;
}

const solved = await client.scenarios.runs.scoreAndComplete(await attempt('echo hello > ~/out.txt'));
assert.equal(solved.state, 'completed');
assert.equal(solved.scoring_contract_result.score, 1);
assert.equal(solved.scoring_contract_result.scoring_function_results[0].scoring_function_name, 'said-it');

const unsolved = await client.scenarios.runs.scoreAndAwait(await attempt('true'));
assert.equal(unsolved.state, 'scored');
assert.equal(unsolved.scoring_contract_result.score, 0);
assert.equal((await client.scenarios.runs.complete(unsolved.id)).state, 'completed');

const listed = [];
for await (const run of client.scenarios.runs.list({ scenario_id: scenario.id, limit: 1 })) listed.push(run.id);
assert.deepEqual(listed.sort(), [solved.id, unsolved.id].sort());

const logs = Buffer.from(await (await client.scenarios.runs.downloadLogs(solved.id)).arrayBuffer());
assert.equal(logs.subarray(0, 2).toString(), 'PK'); // a zip archive
console.log('done');
