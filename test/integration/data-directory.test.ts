/** What docs/operations.md says of a control plane's data directory: a copy is a backup, and a root can be replaced without a break. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RestClient, startControlPlane } from '../support/rest-client.ts';

const SERVICES = '/api/v1/namespaces/default/services';

t.test('a copy of a stopped control plane is the same control plane', async t => {
  const dir = t.testdir();
  const [from, to] = [join(dir, 'from'), join(dir, 'to')];
  {
    await using plane = await startControlPlane(from);
    await using rest = new RestClient(plane.restUrl, from);
    await rest.call('POST', SERVICES, { body: { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } } });
  }
  cpSync(from, to, { recursive: true });
  await using plane = await startControlPlane(to);
  await using rest = new RestClient(plane.restUrl, from); // the bundle and the token of before
  t.match(await rest.call('GET', `${SERVICES}/web`), { status: 200, body: { spec: { ports: [{ port: 80 }] } } });
});

t.test('a new root: first everybody trusts it, then it signs, then the old one goes', async t => {
  const dir = t.testdir();
  const [data, fresh] = [join(dir, 'data'), join(dir, 'fresh')];
  const file = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');
  /** A client with the bundle of this moment is served by a control plane that starts now. */
  const works = async (bundleOf: string): Promise<boolean> => {
    await using plane = await startControlPlane(data);
    await using rest = new RestClient(plane.restUrl, bundleOf);
    return await rest.call('GET', SERVICES).then(
      ({ status }) => status === 200,
      () => false,
    );
  };
  const keep = (name: string): string => {
    const folder = join(dir, name);
    cpSync(data, folder, { recursive: true });
    return folder;
  };
  t.ok(await works(data));
  const before = keep('before');
  await (await startControlPlane(fresh))[Symbol.asyncDispose]();

  writeFileSync(join(data, 'trust-bundle.pem'), file(data, 'trust-bundle.pem') + file(fresh, 'ca.pem'));
  const both = keep('both');
  t.ok(await works(before), 'the old root still signs');
  for (const name of ['ca.pem', 'ca-key.pem']) writeFileSync(join(data, name), file(fresh, name));
  t.ok(await works(both), 'who trusts both does not notice that the new one signs');
  t.notOk(await works(before), 'who has not heard of it does');
  writeFileSync(join(data, 'trust-bundle.pem'), file(fresh, 'ca.pem'));
  t.ok(await works(both), 'and nobody needs the old one');
});
