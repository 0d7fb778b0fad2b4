import fc from 'fast-check';
import t from 'tap';
import { DEFAULT_POLICY, type OutlierDetectionView } from '../../../../../api/snapshot.ts';
import { seededRandom } from '../../../../../common/random.ts';
import { proxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { NO_FIELDS } from '../../../../../sidecar/protocol/head.ts';
import { ConsecutiveFailures } from '../../../../../sidecar/resilience/outlier-detection/consecutive-failures.ts';
import { Ejection, maxEjected } from '../../../../../sidecar/resilience/outlier-detection/ejection.ts';
import { createWorld, NO_LEAKS, responseHead, type World } from '../../exchange.fixture.ts';
import { endpointView, portView } from '../../route/snapshot.fixture.ts';

const VIEW = DEFAULT_POLICY.outlierDetection as OutlierDetectionView;
const endpoints = (count: number) => Array.from({ length: count }, (_, i) => endpointView(`10.0.0.${i + 1}:15006`));
const health = (world: World): string[] => world.cluster.endpoints.map(endpoint => endpoint.health);

/** Sends requests until `address` has answered `count` of them with this status; the others answer 200. */
const answer = (world: World, address: string, status: number, count = 1, max = 2_000): void => {
  let left = count;
  for (let i = 0; i < max && left > 0; i++) {
    const { exchange } = world.request();
    const here = exchange.endpoint?.address === address;
    if (here) left--;
    world.clock.advance(1);
    world.transport.connect();
    exchange.responseHead(responseHead(here ? status : 200), NO_FIELDS, true);
  }
};

t.test('failures in a row count, a success starts them again, and what says nothing changes nothing', t => {
  const failures = new ConsecutiveFailures();
  t.same(
    ['failure', 'failure', 'neutral', 'failure'].map(each => failures.add(each as 'failure', 3)),
    [false, false, false, true],
  );
  t.ok(failures.add('failure', 3), 'and stay too many');
  failures.add('success', 3);
  t.equal(failures.count, 0);
  for (let i = 0; i < 100; i++) t.notOk(failures.add('failure', 0), 'a threshold of 0 is never reached');
  failures.reset();
  t.equal(failures.count, 0);
  t.end();
});

t.test('ejections double up to their limit, and good behaviour takes the doubling back', t => {
  const ejection = new Ejection();
  const view = { ...VIEW, baseEjectionMs: 1_000, maxEjectionMs: 10_000 };
  const middle = () => 0.5;
  t.same(
    [1, 2, 3, 4, 5, 6].map(() => ejection.next(view, 0, middle)),
    [1_000, 2_000, 4_000, 8_000, 10_000, 10_000],
  );
  ejection.end(0);
  t.equal(ejection.next(view, 1_999, middle), 10_000);
  ejection.end(10_000);
  t.equal(ejection.next(view, 10_000 + 4 * 2_000, middle), 8_000, 'four of seven are forgiven');
  ejection.end(20_000);
  t.equal(ejection.next(view, 1e6, middle), 1_000, 'in the end all are');
  t.end();
});

t.test('an ejection is at most a quarter shorter or longer than its length', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer(),
      fc.nat(40),
      (base, more, seed, times) => {
        const view = { ...VIEW, baseEjectionMs: base, maxEjectionMs: base + more };
        const ejection = new Ejection();
        const random = seededRandom(seed);
        for (let n = 0; n <= times; n++) {
          const length = Math.min(base * 2 ** Math.min(n, 30), base + more);
          const ms = ejection.next(view, 0, random);
          if (ms < length * 0.75 || ms > length * 1.25) return false;
        }
        return true;
      },
    ),
  );
  t.end();
});

t.test('as many may be ejected as the percentage says, of two or more at least one, of one none', t => {
  t.same(
    [0, 1, 2, 3, 4, 5, 10].map(count => maxEjected(count, 50)),
    [0, 0, 1, 1, 2, 2, 5],
  );
  t.same(
    [1, 2, 3, 9, 10].map(count => maxEjected(count, 10)),
    [0, 1, 1, 1, 1],
  );
  t.same(
    [1, 2, 3].map(count => maxEjected(count, 100)),
    [0, 2, 3],
  );
  t.same(
    [1, 2, 3].map(count => maxEjected(count, 0)),
    [0, 0, 0],
  );
  t.end();
});

t.test('five failures in a row eject an instance, and a good probe brings it back', t => {
  const world = createWorld({ endpoints: endpoints(3) });
  const bad = '10.0.0.2:15006';
  answer(world, bad, 503, 4);
  t.same(health(world), ['healthy', 'healthy', 'healthy']);
  answer(world, bad, 503);
  t.same(health(world), ['healthy', 'ejected', 'healthy']);
  t.match(world.log, [
    {
      message: 'An endpoint was ejected.',
      fields: {
        service: 'app.default',
        port: 80,
        endpoint: bad,
        cause: 'status 503',
        consecutive_failures: 5,
        for_ms: 5_000,
      },
    },
  ]);
  const sentBefore = world.transport.sent.length;
  answer(world, bad, 503, 1, 200);
  t.equal(world.transport.sent.length, sentBefore + 200, 'nobody is sent there meanwhile');
  world.clock.advance(5_000);
  t.same(health(world), ['healthy', 'probing', 'healthy']);
  const { exchange } = world.request();
  t.equal(exchange.endpoint?.address, bad, 'the next request is the probe');
  const second = world.request().exchange;
  t.not(second.endpoint?.address, bad, 'and the only one');
  exchange.responseHead(responseHead(200), NO_FIELDS, true);
  t.same(health(world), ['healthy', 'healthy', 'healthy']);
  t.same(
    world.log.slice(1).map(({ message, fields }) => `${message} ${String(fields.cause)}`),
    ['An endpoint is probed. its ejection has ended', 'An endpoint is back. the probe succeeded'],
  );
  second.responseHead(responseHead(200), NO_FIELDS, true);
  answer(world, bad, 200, 10);
  t.same(world.leaks(), NO_LEAKS);
  t.equal(world.clock.pending, 0);
  t.end();
});

t.test('a bad probe ejects for twice the time', t => {
  const world = createWorld();
  answer(world, '10.0.0.1:15006', 503, 5);
  world.clock.advance(5_000);
  answer(world, '10.0.0.1:15006', 500);
  t.match(world.log.at(-1), {
    message: 'An endpoint was ejected.',
    fields: { cause: 'the probe failed: status 500', for_ms: 10_000 },
  });
  world.clock.advance(9_990);
  t.same(health(world), ['ejected', 'healthy']);
  world.clock.advance(10);
  t.same(health(world), ['probing', 'healthy']);
  t.end();
});

t.test('a probe that says nothing is followed by another', t => {
  const world = createWorld();
  answer(world, '10.0.0.1:15006', 503, 5);
  world.clock.advance(5_000);
  const { exchange } = world.request();
  t.equal(exchange.endpoint?.address, '10.0.0.1:15006');
  exchange.requestReset(proxyError('DOWNSTREAM_RESET', 'connection_lost'));
  t.same(health(world), ['probing', 'healthy']);
  const next = world.request().exchange;
  t.equal(next.endpoint?.address, '10.0.0.1:15006');
  world.clock.advance(5_000);
  const third = world.request().exchange;
  t.equal(third.endpoint?.address, '10.0.0.1:15006', 'and so is one that has no end');
  third.responseHead(responseHead(200), NO_FIELDS, true);
  t.same(health(world), ['healthy', 'healthy']);
  next.responseHead(responseHead(200), NO_FIELDS, true);
  t.equal(world.clock.pending, 0);
  t.end();
});

t.test('the last healthy instance is never ejected', t => {
  const alone = createWorld({ endpoints: endpoints(1) });
  answer(alone, '10.0.0.1:15006', 503, 20);
  t.same(health(alone), ['healthy']);
  const two = createWorld();
  answer(two, '10.0.0.1:15006', 503, 5);
  answer(two, '10.0.0.2:15006', 503, 20, 40);
  t.same(health(two), ['ejected', 'healthy']);
  t.end();
});

t.test('answers by policy or limit of the mesh eject nobody', t => {
  const world = createWorld();
  for (const flag of ['UAEX', 'RL', 'UO', 'OM', 'NR', 'DPE']) {
    for (let i = 0; i < 20; i++) {
      const { exchange } = world.request();
      world.transport.connect();
      exchange.responseHead(responseHead(503, NO_FIELDS, { flag, notProcessed: false }), NO_FIELDS, true);
    }
  }
  t.same(health(world), ['healthy', 'healthy']);
  t.end();
});

t.test('an instance that can’t be reached is ejected, and costs no request and few retries', t => {
  for (const loadBalancer of ['roundRobin', 'peakEwma'] as const) {
    const world = createWorld({ policy: { loadBalancer } });
    answer(world, '10.0.0.1:15006', 200, 30);
    for (let i = 0; i < 100; i++) {
      const { exchange } = world.request();
      while (!exchange.done) {
        if (exchange.endpoint?.address === '10.0.0.1:15006') {
          exchange.attemptFailed(proxyError('CONNECT_FAILED', 'connection_refused', 'ECONNREFUSED'));
          world.clock.advance(20);
        } else exchange.responseHead(responseHead(200), NO_FIELDS, true);
      }
      t.equal(exchange.status, 200);
      world.clock.advance(10);
    }
    t.ok(world.retries.length <= 6, `${world.retries.length} retries`);
    t.equal(
      health(world)[0] === 'ejected',
      loadBalancer === 'roundRobin',
      'a balancer that shuns it need not eject it',
    );
    t.same(world.leaks(), NO_LEAKS);
  }
  t.end();
});

t.test('an instance that failed is asked again at once, and one success clears it', t => {
  const world = createWorld();
  const bad = '10.0.0.1:15006';
  answer(world, bad, 500);
  const { exchange } = world.request();
  t.equal(exchange.endpoint?.address, bad);
  t.not(world.request().exchange.endpoint?.address, bad, 'by one request at a time');
  exchange.responseHead(responseHead(200), NO_FIELDS, true);
  t.equal(world.cluster.endpoints[0]?.failures.count, 0);
  t.ok(
    (world.cluster.endpoints[0]?.latency.currentMs(world.clock.nowMs()) ?? 1e9) < 100,
    'and it is not dear any more',
  );
  t.end();
});

t.test('where outlier detection is off nobody is ejected, and who was comes back', t => {
  const off = createWorld({ policy: { outlierDetection: null } });
  answer(off, '10.0.0.1:15006', 503, 50);
  t.same(health(off), ['healthy', 'healthy']);
  const world = createWorld();
  answer(world, '10.0.0.1:15006', 503, 5);
  world.cluster.update(
    portView(80, { policy: { ...DEFAULT_POLICY, outlierDetection: null } }),
    world.cluster.endpoints,
  );
  world.clock.advance(5_000);
  t.same(health(world), ['healthy', 'healthy']);
  t.match(world.log.at(-1), { fields: { cause: 'outlier detection was turned off' } });
  t.end();
});

t.test('an ejected instance that leaves the mesh is forgotten', t => {
  const world = createWorld();
  answer(world, '10.0.0.1:15006', 503, 5);
  world.cluster.update(portView(80), world.cluster.endpoints.slice(1));
  world.clock.advance(60_000);
  t.equal(world.log.length, 1);
  t.equal(world.clock.pending, 0);
  t.end();
});
