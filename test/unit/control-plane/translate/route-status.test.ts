import t from 'tap';
import { routeStatus } from '../../../../control-plane/translate/route-status.ts';
import { backend, httpRoute, prefix, service, translatorOf } from '../../../support/objects.ts';

const NOW = Date.UTC(2026, 0, 2);
const rules = [{ matches: [prefix('/')], backendRefs: [backend('web')] }];

t.test('each Service among the parents gets an entry that says what was found', t => {
  const route = httpRoute(
    'r',
    [
      { name: 'web' },
      { name: 'web', port: 81 },
      { name: 'gone' },
      { name: 'db' },
      { name: 'gw', group: 'x', kind: 'Gateway' },
    ],
    rules,
  );
  const { world } = translatorOf(
    service('web'),
    service('db', { ports: [{ name: 'tcp', port: 1, protocol: 'TCP' }] }),
    route,
  );
  const found = routeStatus(world, route, NOW);
  t.equal(found.length, 4);
  t.match(
    found.map(({ conditions }) => conditions[0]),
    [
      { type: 'Accepted', status: 'True', lastTransitionTime: '2026-01-02T00:00:00Z', observedGeneration: 1 },
      { status: 'False', reason: 'NoMatchingParent', message: /has no port 81; it has 80 \(http\)/ },
      { status: 'False', message: /There is no Service gone\.shop/ },
      { status: 'False', message: /plain TCP/ },
    ],
  );
  t.match(found[0]?.conditions[1], { type: 'ResolvedRefs', status: 'True' });
  t.end();
});

t.test('the time of a condition changes when its status does', t => {
  const route = httpRoute('r', { name: 'web' }, rules);
  const { world } = translatorOf(service('web'), route);
  const first = { parents: routeStatus(world, route, NOW) };
  const again = routeStatus(world, { ...route, status: first }, NOW + 60_000);
  t.same(again, first.parents);
  world.apply({ type: 'DELETED', object: service('web') });
  const after = routeStatus(world, { ...route, status: first }, NOW + 60_000);
  t.match(after[0]?.conditions, [
    { status: 'False', lastTransitionTime: '2026-01-02T00:01:00Z' },
    { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' },
  ]);
  t.end();
});

t.test('a mirror has to resolve too', t => {
  const filter = {
    type: 'RequestMirror' as const,
    requestMirror: { backendRef: { group: '', kind: 'Service', name: 'shadow', port: 80 }, percent: 100 },
  };
  const route = httpRoute('r', { name: 'web' }, [{ matches: [prefix('/')], filters: [filter], backendRefs: [] }]);
  const { world } = translatorOf(service('web'), route);
  t.match(routeStatus(world, route, NOW)[0]?.conditions[1], {
    type: 'ResolvedRefs',
    status: 'False',
    message: 'There is no Service shadow.shop.',
  });
  t.end();
});

t.test('a backend in another namespace without a grant is not permitted, with a sentence', t => {
  const route = httpRoute('r', { name: 'web' }, [
    { matches: [prefix('/')], backendRefs: [{ ...backend('stock'), namespace: 'depot' }] },
  ]);
  const { world } = translatorOf(service('web'), service('stock', {}, 'depot'), route);
  t.match(routeStatus(world, route, NOW)[0]?.conditions[1], {
    status: 'False',
    reason: 'RefNotPermitted',
    message: /No ReferenceGrant in the namespace depot/,
  });
  t.end();
});
