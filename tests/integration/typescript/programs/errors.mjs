// Errors are the client's own exceptions, and tell what was wrong.
import assert from 'node:assert/strict';
import { Runloop } from '@runloop/api-client';
import { client } from './client.mjs';

async function fails(request, kind, status, body) {
  await assert.rejects(request, (error) => {
    assert.ok(error instanceof kind, `${error}`);
    assert.equal(error.status, status);
    for (const [key, value] of Object.entries(body)) assert.equal(error.error[key], value, JSON.stringify(error.error));
    assert.equal(typeof error.error.message, 'string');
    return true;
  });
}

await fails(client.devboxes.retrieve('dbx_nope'), Runloop.NotFoundError, 404, { code: 'not_found' });
await fails(client.scenarios.create({ name: 'not whole' }), Runloop.BadRequestError, 400, { field: 'input_context' });

const stranger = new Runloop({ baseURL: client.baseURL, bearerToken: 'wrong' });
await fails(stranger.devboxes.list(), Runloop.AuthenticationError, 401, { code: 'unauthorized' });

const object = await client.objects.create({ name: 'empty', content_type: 'text' });
await fails(client.objects.download(object.id), Runloop.ConflictError, 409, {});
await client.objects.delete(object.id);
console.log('done');
