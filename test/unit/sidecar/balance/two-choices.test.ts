import t from 'tap';
import { Endpoint } from '../../../../sidecar/upstream/endpoint.ts';
import { endpointView } from '../route/snapshot.fixture.ts';
import { endpointsOf, pickerOf } from './endpoints.fixture.ts';

/** How many of `picks` at one moment go to each, all staying under way. */
const burst = (endpoints: readonly Endpoint[], algorithm: 'peakEwma' | 'leastRequest', picks: number): number[] => {
  const picker = pickerOf(endpoints, algorithm);
  for (let i = 0; i < picks; i++) (picker.pick(1e6, undefined) as Endpoint).active++;
  return endpoints.map(endpoint => endpoint.active);
};
/** Instances that have given their first answers. */
const answering = (...latencies: readonly number[]): Endpoint[] => {
  const endpoints = endpointsOf(...latencies.map(() => 1));
  for (const [at, latency] of latencies.entries())
    for (let i = 0; i < 3; i++) endpoints[at]!.latency.observe(latency, false, 1e6);
  return endpoints;
};

t.test('least request: a burst is spread evenly, by weight', t => {
  const [a = 0, b = 0, c = 0] = burst(endpointsOf(1, 1, 1), 'leastRequest', 300);
  t.ok(Math.max(a, b, c) - Math.min(a, b, c) <= 4, `${a} ${b} ${c}`);
  const [heavy = 0, light = 0] = burst(endpointsOf(3, 1), 'leastRequest', 400);
  t.ok(Math.abs(heavy - 300) <= 12, `${heavy} ${light}`);
  t.end();
});

t.test('least request: an instance that is busy is avoided', t => {
  const endpoints = endpointsOf(1, 1);
  endpoints[0]!.active = 10;
  const picker = pickerOf(endpoints, 'leastRequest');
  for (let i = 0; i < 50; i++) t.equal(picker.pick(1e6, undefined), endpoints[1]);
  t.end();
});

t.test('an instance that hangs gets next to nothing, also by weight and while others are new', t => {
  const share = (endpoints: readonly Endpoint[]): number => {
    const [hung, ...others] = endpoints;
    for (const endpoint of endpoints) endpoint.latency.observe(5, false, 1e6);
    hung?.latency.awaits(1e6);
    const picker = pickerOf(endpoints, 'peakEwma');
    let picked = 0;
    for (let i = 0; i < 1_000; i++) {
      const nowMs = 1e6 + 100 + i;
      for (const other of others) other.latency.observe(5, false, nowMs);
      if (picker.pick(nowMs, undefined) === hung) picked++;
    }
    return picked;
  };
  t.equal(share(endpointsOf(1, 1, 1)), 0);
  t.equal(share(endpointsOf(5, 1, 2)), 0, 'whatever its weight');
  const joined = [...endpointsOf(1, 1), new Endpoint(endpointView('10.0.0.9:15006'), 1e6 - 5_000)];
  t.equal(share(joined), 0, 'and while another one starts slowly');
  t.end();
});

t.test('peak EWMA: a fast instance has as much more under way as it is faster', t => {
  const [fast = 0, slow = 0] = burst(answering(10, 40), 'peakEwma', 500);
  t.ok(fast > 380 && fast < 420, `${fast} and ${slow}`);
  t.end();
});

t.test('peak EWMA: an instance that fails fast gets no traffic', t => {
  const endpoints = answering(5, 5);
  endpoints[0]!.latency.observe(0.2, true, 1e6);
  const picker = pickerOf(endpoints, 'peakEwma');
  for (let i = 0; i < 100; i++) t.equal(picker.pick(1e6 + i, undefined), endpoints[1]);
  t.end();
});

t.test('peak EWMA: a failed instance is tried again once the failure has faded', t => {
  const endpoints = answering(5, 5);
  endpoints[0]!.latency.observe(0.2, true, 1e6);
  endpoints[1]!.latency.observe(5, false, 1e6 + 120_000);
  const picker = pickerOf(endpoints, 'peakEwma');
  t.equal(picker.pick(1e6 + 120_000, undefined), endpoints[0]);
  t.end();
});

t.test('peak EWMA: a new instance is tried at once and not flooded before its first answer', t => {
  const [known] = answering(20);
  const [fresh] = endpointsOf(1);
  const [, probes = 0] = burst([known!, fresh!], 'peakEwma', 100);
  t.equal(probes, 1);
  t.end();
});

t.test('peak EWMA: instances of which nothing is known share a burst', t => {
  const [a = 0, b = 0] = burst(endpointsOf(1, 1), 'peakEwma', 100);
  t.ok(Math.abs(a - b) <= 2, `${a} ${b}`);
  t.end();
});
