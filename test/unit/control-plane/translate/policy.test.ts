import t from 'tap';
import { DEFAULT_POLICY } from '../../../../api/snapshot.ts';
import { compilePolicy } from '../../../../control-plane/translate/policy.ts';
import { policy, service, translatorOf } from '../../../support/objects.ts';

const target = (name: string, sectionName?: string) =>
  [{ group: '', kind: 'Service', name, ...(sectionName === undefined ? {} : { sectionName }) }] as const;

t.test('without policies the documented defaults hold', t => {
  t.same(compilePolicy(translatorOf().world, 'shop', 'web', 'http'), { view: DEFAULT_POLICY, retry: null });
  t.end();
});

t.test('field by field the narrower policy wins: mesh, namespace, Service, port', t => {
  const limit = (maxRequests: number, maxRetries?: number) => ({
    circuitBreaker: { maxRequests, ...(maxRetries === undefined ? {} : { maxRetries }) },
  });
  const { world } = translatorOf(
    policy('mesh', { ...limit(1, 7), timeouts: { connect: '1s', idle: '1m' } }, 'outrider-system'),
    policy('namespace', { ...limit(2), timeouts: { connect: '2s' } }),
    policy('service', { ...limit(3), targetRefs: target('web'), loadBalancer: { policy: 'RoundRobin' } }),
    policy('port', { ...limit(4), targetRefs: target('web', 'admin') }),
  );
  const of = (namespace: string, name: string, port: string) => compilePolicy(world, namespace, name, port).view;
  t.match(of('other', 'web', 'http'), { circuitBreaker: { maxRequests: 1, maxRetries: 7 }, connectTimeoutMs: 1_000 });
  t.match(of('shop', 'stock', 'http'), {
    circuitBreaker: { maxRequests: 2, maxRetries: 7 },
    connectTimeoutMs: 2_000,
    idleTimeoutMs: 60_000,
  });
  t.match(of('shop', 'web', 'http'), { circuitBreaker: { maxRequests: 3, maxRetries: 7 }, loadBalancer: 'roundRobin' });
  t.match(of('shop', 'web', 'admin'), {
    circuitBreaker: { maxRequests: 4 },
    loadBalancer: 'roundRobin',
    connectTimeoutMs: 2_000,
  });
  t.end();
});

t.test('pipelining of Thrift is as the narrowest policy that names it says', t => {
  const { world } = translatorOf(
    policy('namespace', { thrift: { pipelining: 'Parallel' } }),
    policy('service', { targetRefs: target('web'), thrift: {} }),
    policy('port', { targetRefs: target('web', 'admin'), thrift: { pipelining: 'Ordered' } }),
  );
  const of = (name: string, port: string) => compilePolicy(world, 'shop', name, port).view.thriftPipelining;
  t.equal(of('web', 'http'), 'parallel');
  t.equal(of('web', 'admin'), 'ordered');
  t.equal(compilePolicy(world, 'other', 'web', 'http').view.thriftPipelining, undefined);
  t.end();
});

t.test('TLS to instances without a sidecar is inherited field by field, and can be turned off', t => {
  const { world } = translatorOf(
    policy('namespace', { tls: { caCertificates: 'PEM' } }),
    policy('service', { targetRefs: target('web'), tls: { hostname: 'web.example' } }),
    policy('port', { targetRefs: target('web', 'plain'), tls: { enabled: false } }),
  );
  const of = (name: string, port: string) => compilePolicy(world, 'shop', name, port).view.tls;
  t.same(of('other', ''), { hostname: '', caCertificates: 'PEM' });
  t.same(of('web', ''), { hostname: 'web.example', caCertificates: 'PEM' });
  t.equal(of('web', 'plain'), undefined);
  t.notOk('tls' in compilePolicy(world, 'elsewhere', 'web', '').view, 'plain text is the default');
  t.end();
});

t.test('of two policies for the same the older has the last word', t => {
  const { world } = translatorOf(
    policy('a', { timeouts: { request: '1s' } }, 'shop', { creationTimestamp: '2026-02-01T00:00:00Z' }),
    policy('b', { timeouts: { request: '2s' } }),
  );
  t.equal(compilePolicy(world, 'shop', 'web', '').view.requestTimeoutMs, 2_000);
  t.end();
});

t.test('outlier detection can be turned off, and on again by a narrower policy that sets a field', t => {
  const { world } = translatorOf(
    policy('off', { outlierDetection: { enabled: false } }),
    policy('on', { outlierDetection: { consecutiveFailures: 9 }, targetRefs: target('web') }),
  );
  t.equal(compilePolicy(world, 'shop', 'stock', '').view.outlierDetection, null);
  t.match(compilePolicy(world, 'shop', 'web', '').view.outlierDetection, {
    consecutiveFailures: 9,
    baseEjectionMs: 5_000,
  });
  t.end();
});

t.test('budgets are shares in the API as percent, in the snapshot as a ratio', t => {
  const { world } = translatorOf(policy('budget', { retryBudget: { percent: 50, window: '20s' } }));
  t.same(compilePolicy(world, 'shop', 'web', '').view.retryBudget, { ratio: 0.5, minRetries: 3, windowMs: 20_000 });
  t.end();
});

t.test('a policy for a Service touches that Service, one without a target all', t => {
  const translator = translatorOf(service('web'));
  t.same(
    translator.apply({ type: 'ADDED', object: policy('p', { targetRefs: target('web') }) }).services,
    new Set(['web.shop']),
  );
  t.same(
    translator.apply({ type: 'MODIFIED', object: policy('p', { targetRefs: target('stock') }) }).services,
    new Set(['web.shop', 'stock.shop']),
  );
  t.equal(translator.apply({ type: 'DELETED', object: policy('p', {}) }).services, 'all');
  t.end();
});
