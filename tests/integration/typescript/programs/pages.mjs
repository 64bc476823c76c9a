// Lists come page by page, and whole by iteration.
import assert from 'node:assert/strict';
import { client, makeScenario } from './client.mjs';

const name = `paged ${process.pid} ${Date.now()}`;
const made = [];
for (let number = 0; number < 5; number++) made.push((await makeScenario(name)).id);

const iterated = [];
for await (const scenario of client.scenarios.list({ name, limit: 2 })) iterated.push(scenario.id);
assert.deepEqual([...iterated].sort(), [...made].sort());

let page = await client.scenarios.list({ name, limit: 2 });
const sizes = [page.scenarios.length];
while (page.hasNextPage()) {
  page = await page.getNextPage();
  sizes.push(page.scenarios.length);
}
assert.deepEqual(sizes.filter(Boolean), [2, 2, 1]);
console.log('done');
