// Requests go by HTTP/2 unless told otherwise, many on a few connections; by HTTP/1.1 all is the same.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { Runloop } from '@runloop/api-client';
import { client, withDevbox } from './client.mjs';

let connections = 0;
const connect = http2.connect;
http2.connect = (...given) => {
  connections += 1;
  return connect(...given);
};
const older = new Runloop({ baseURL: client.baseURL, bearerToken: client.bearerToken, http2: false });

await withDevbox(async (devbox) => {
  assert.ok(connections > 0, 'the client begins with HTTP/2');
  const numbers = [...Array(30).keys()];
  const ask = (by) => (number) => by.devboxes.executeAndAwaitCompletion(devbox.id, { command: `sleep 0.2; echo ${number}` });
  const expected = numbers.map((number) => `${number}\n`);
  assert.deepEqual((await Promise.all(numbers.map(ask(client)))).map((one) => one.stdout), expected);
  const before = connections;
  assert.ok(before < numbers.length);
  assert.deepEqual((await Promise.all(numbers.slice(0, 5).map(ask(older)))).map((one) => one.stdout), expected.slice(0, 5));
  assert.equal(connections, before, 'none of these was by HTTP/2');
});
console.log('done');
