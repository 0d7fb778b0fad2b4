/** Instances and pickers for the tests of balancing. */
import { DEFAULT_POLICY, type PolicyView } from '../../../../api/snapshot.ts';
import { seededRandom } from '../../../../common/random.ts';
import { createPicker, type Picker } from '../../../../sidecar/balance/picker.ts';
import { Endpoint } from '../../../../sidecar/upstream/endpoint.ts';
import { endpointView } from '../route/snapshot.fixture.ts';

export const ALGORITHMS = ['peakEwma', 'leastRequest', 'roundRobin', 'random'] as const;

/** One instance for each weight, all there from the beginning. */
export const endpointsOf = (...weights: readonly number[]): Endpoint[] =>
  weights.map((weight, at) => new Endpoint(endpointView(`10.0.0.${at + 1}:15006`, { weight }), 0));

export const pickerOf = (
  endpoints: readonly Endpoint[],
  loadBalancer: PolicyView['loadBalancer'],
  policy: Partial<PolicyView> = {},
  seed = 1,
): Picker => createPicker(endpoints, { ...DEFAULT_POLICY, ...policy, loadBalancer }, seededRandom(seed));

/** How many of `picks` each instance gets, in percent, when all answer in 5 ms before the next one is picked. */
export const sharesOf = (picker: Picker, endpoints: readonly Endpoint[], picks: number, fromMs = 1e6): number[] => {
  const counts = new Map(endpoints.map(endpoint => [endpoint, 0]));
  for (let i = 0; i < picks; i++) {
    const nowMs = fromMs + i / 100;
    const picked = picker.pick(nowMs, undefined) as Endpoint;
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
    picked.latency.observe(5, false, nowMs);
  }
  return [...counts.values()].map(count => (count * 100) / picks);
};
