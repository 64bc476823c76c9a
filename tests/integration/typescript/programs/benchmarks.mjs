// A benchmark of two scenarios, run and completed; another run canceled.
import assert from 'node:assert/strict';
import { client, makeScenario } from './client.mjs';

const scenarios = [(await makeScenario('one')).id, (await makeScenario('two')).id];
const benchmark = await client.benchmarks.create({ name: 'both', scenario_ids: [scenarios[0]] });
const updated = await client.benchmarks.updateScenarios(benchmark.id, { scenarios_to_add: [scenarios[1]] });
assert.deepEqual([...updated.scenarioIds].sort(), [...scenarios].sort());

const run = await client.benchmarks.startRun({ benchmark_id: benchmark.id });
assert.equal(run.state, 'running');
for (const scenario_id of scenarios) {
  const one = await client.scenarios.startRunAndAwaitEnvReady({ scenario_id, benchmark_run_id: run.id });
  await client.devboxes.executeAndAwaitCompletion(one.devbox_id, { command: 'echo hello > ~/out.txt' });
  assert.equal((await client.scenarios.runs.scoreAndComplete(one.id)).scoring_contract_result.score, 1);
}
const completed = await client.benchmarkRuns.complete(run.id);
assert.equal(completed.state, 'completed');
assert.equal(completed.score, 1);
const runs = [];
for await (const one of client.benchmarkRuns.listScenarioRuns(run.id)) runs.push(one.scenario_id);
assert.deepEqual(runs.sort(), [...scenarios].sort());

const other = await client.benchmarks.startRun({ benchmark_id: benchmark.id });
assert.equal((await client.benchmarkRuns.cancel(other.id)).state, 'canceled');
console.log('done');
