import { join } from 'node:path';
import t from 'tap';
import { startControlPlane } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

/** What this test uses of the official client library. */
interface ClientLibrary {
  readonly KubeConfig: new () => {
    loadFromFile(path: string): void;
    makeApiClient(api: unknown): CoreApi;
  };
  readonly CoreV1Api: unknown;
  readonly KubernetesObjectApi: { makeApiClient(config: unknown): ObjectApi };
  readonly makeInformer: (config: unknown, path: string, list: () => Promise<unknown>) => Informer;
}

interface Service {
  readonly metadata: { readonly name: string; readonly creationTimestamp?: Date };
  readonly spec: { readonly ports: readonly { readonly port: number; readonly targetPort?: number | string }[] };
}

interface CoreApi {
  listNamespace(): Promise<{ readonly items: readonly Service[] }>;
  createNamespacedService(request: { namespace: string; body: object }): Promise<Service>;
  readNamespacedService(request: { namespace: string; name: string }): Promise<Service>;
  replaceNamespacedService(request: { namespace: string; name: string; body: object }): Promise<Service>;
  deleteNamespacedService(request: { namespace: string; name: string }): Promise<unknown>;
  listNamespacedService(request: { namespace: string }): Promise<unknown>;
}

interface ObjectApi {
  create(object: object): Promise<{ readonly metadata: { readonly uid: string } }>;
  delete(object: object): Promise<unknown>;
}

interface Informer {
  on(event: 'add' | 'update' | 'delete', listener: (object: Service) => void): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

// The name is no literal: the test is for whoever has the library installed.
const library = ['@kubernetes', 'client-node'].join('/');
const client = (await import(library).catch(() => undefined)) as ClientLibrary | undefined;
const skip = client === undefined ? `${library} is not installed` : false;

t.test('the official client library works with the kubeconfig of the first start', { skip }, async t => {
  if (client === undefined) return;
  const dataDir = t.testdir();
  await using plane = await startControlPlane(dataDir);
  t.ok(plane.restUrl);
  const config = new client.KubeConfig();
  config.loadFromFile(join(dataDir, 'kubeconfig'));
  const core = config.makeApiClient(client.CoreV1Api);
  const namespace = 'default';
  const web = { namespace, name: 'web' };

  t.same(
    (await core.listNamespace()).items.map(({ metadata }) => metadata.name),
    ['default', 'outrider-system'],
  );
  const events: string[] = [];
  const informer = client.makeInformer(config, '/api/v1/namespaces/default/services', () =>
    core.listNamespacedService({ namespace }),
  );
  for (const event of ['add', 'update', 'delete'] as const)
    informer.on(event, ({ metadata }) => events.push(`${event} ${metadata.name}`));
  await informer.start();

  const created = await core.createNamespacedService({
    namespace,
    body: { metadata: { name: 'web' }, spec: { ports: [{ port: 80, targetPort: 'http' }] } },
  });
  t.ok(created.metadata.creationTimestamp instanceof Date);
  t.match(await core.readNamespacedService(web), {
    spec: { ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }] },
  });
  await core.replaceNamespacedService({ ...web, body: { ...created, spec: { ports: [{ port: 81 }] } } });
  await t.rejects(core.replaceNamespacedService({ ...web, body: created }), { code: 409 }, 'a stale version');
  await t.rejects(
    core.createNamespacedService({ namespace, body: { metadata: { name: 'x' }, spec: { ports: [{ port: -1 }] } } }),
    { code: 422 },
  );
  await core.deleteNamespacedService(web);
  await waitFor('the events', () => events.length >= 3);
  t.same(events, ['add web', 'update web', 'delete web']);
  await informer.stop();

  const objects = client.KubernetesObjectApi.makeApiClient(config);
  const policy = {
    apiVersion: 'outrider.mesh/v1',
    kind: 'TrafficPolicy',
    metadata: { name: 'web', namespace },
    spec: {},
  };
  t.ok((await objects.create(policy)).metadata.uid, 'our own kinds are found by discovery');
  await objects.delete(policy);
});
