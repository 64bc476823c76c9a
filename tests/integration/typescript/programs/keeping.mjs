// Objects go up and down by their signed addresses; secrets are kept, and never told again.
import assert from 'node:assert/strict';
import { client } from './client.mjs';

const object = await client.objects.create({ name: 'notes.txt', content_type: 'text' });
assert.equal(object.state, 'UPLOADING');
assert.ok((await fetch(object.upload_url, { method: 'PUT', body: 'some notes' })).ok);
const complete = await client.objects.complete(object.id);
assert.deepEqual([complete.state, complete.size_bytes], ['READ_ONLY', 10]);
const { download_url } = await client.objects.download(object.id);
assert.equal(await (await fetch(download_url)).text(), 'some notes');
await client.objects.delete(object.id);

const name = `TYPESCRIPT_${Date.now()}`;
const secret = await client.secrets.create({ name, value: 'hush' });
assert.ok(!JSON.stringify([secret, await client.secrets.retrieve(name)]).includes('hush'));
assert.ok((await client.secrets.list({ limit: 1000 })).secrets.some((one) => one.name === name));
assert.equal((await client.secrets.update(name, { value: 'hush hush' })).id, secret.id);
await client.secrets.delete(name);
console.log('done');
