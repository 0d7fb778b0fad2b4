import t from 'tap';
import { type ClusterRow, sumRows } from '../../../../sidecar/admin/cluster-rows.ts';

const row = (changes: Partial<ClusterRow>): ClusterRow => ({
  cluster: 'web.shop:80',
  endpoint: '10.0.0.1:15006',
  state: 'healthy',
  active: 0,
  latency_ms: 0,
  connections: 0,
  ...changes,
});

t.test('what is under way in all workers is added up, and the slowest view is shown', t => {
  const other = row({ endpoint: '10.0.0.2:15006' });
  t.same(
    sumRows([
      [row({ active: 1, latency_ms: 3, connections: 1, state: 'ejected' }), other],
      [row({ active: 2, latency_ms: 1.5, connections: 1 })],
      [row({ active: 4, latency_ms: 4, connections: 0 }), row({ cluster: 'new.shop:80' })],
    ]),
    [row({ active: 7, latency_ms: 4, connections: 2, state: 'ejected' }), other],
  );
  t.end();
});
