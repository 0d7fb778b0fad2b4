import fc from 'fast-check';
import t from 'tap';
import { NAMESPACE } from '../../../../api/namespace.ts';
import { SERVICE, type Service } from '../../../../api/service.ts';
import { manualClock } from '../../../../common/clock.ts';
import { StoreError } from '../../../../control-plane/store/resource-store.ts';
import { SqliteStore } from '../../../../control-plane/store/sqlite-store.ts';

const service = (name: string, port: number, app: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', labels: { app } },
  spec: { type: 'ClusterIP', ports: [{ port, protocol: 'TCP' }] },
});

const operation = fc.record({
  what: fc.constantFrom('create', 'update', 'status', 'delete'),
  name: fc.constantFrom('a', 'b', 'c'),
  port: fc.integer({ min: 1, max: 3 }),
  app: fc.constantFrom('web', 'api'),
  /** Whether it waits for the one before it. */
  waits: fc.boolean(),
});

type State = Readonly<Record<string, unknown>>;

const onlyWeb = ({ app }: Readonly<Record<string, string>>) => app === 'web';

t.test('any list, and the events after it, make the list of the end; with and without a selector', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async operations => {
      await using store = new SqliteStore({ path: ':memory:', clock: manualClock() });
      await store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
      const stateNow = async (labels?: typeof onlyWeb): Promise<State> => {
        const { items } = await store.list(SERVICE, { labels });
        return Object.fromEntries(items.map(item => [item.metadata.name, item]));
      };
      const points: { readonly version: string; readonly all: State; readonly web: State }[] = [];
      const running: Promise<unknown>[] = [];
      for (const { what, name, port, app, waits } of operations) {
        const write =
          what === 'create'
            ? store.create(SERVICE, service(name, port, app))
            : what === 'update'
              ? store.update(SERVICE, service(name, port, app))
              : what === 'status'
                ? store.updateStatus(SERVICE, 'default', name, port === 1 ? { conditions: [] } : {})
                : store.delete(SERVICE, 'default', name);
        running.push(
          write.catch((error: unknown) => {
            if (!(error instanceof StoreError)) throw error;
          }),
        );
        if (!waits) continue;
        await Promise.all(running);
        points.push({ version: store.version(), all: await stateNow(), web: await stateNow(onlyWeb) });
      }
      await Promise.all(running);
      for (const { version, all, web } of points)
        for (const [labels, start] of [
          [undefined, all],
          [onlyWeb, web],
        ] as const) {
          const state: Record<string, unknown> = { ...start };
          let last = Number(version);
          await store.watch({ kind: SERVICE, labels }, version, ({ type, object, resourceVersion }) => {
            t.ok(Number(resourceVersion) > last, 'versions grow');
            last = Number(resourceVersion);
            const { name } = object.metadata;
            t.equal(name in state, type !== 'ADDED', `${type} ${name}`);
            if (type === 'DELETED') delete state[name];
            else state[name] = object;
          });
          t.same(state, await stateNow(labels));
        }
    }),
    { numRuns: 60 },
  );
});
