/** The control plane of the push load test, in a process of its own: services and workloads made, changes on demand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRAFFIC_POLICY } from '../../api/traffic-policy.ts';
import { startBackHalf } from '../support/back-half.ts';
import { createServices } from '../support/many-services.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'outrider-load-'));
const services = Number(process.argv[2]);
const plane = await startBackHalf({ dataDir, storePath: join(dataDir, 'store.db') });
await createServices(plane.store, services, 3);

/** One change of one service, by its number. */
const change = async (service: number, attempt: number): Promise<void> => {
  const name = `policy-${service}`;
  const policy = {
    apiVersion: 'outrider.mesh/v1' as const,
    kind: 'TrafficPolicy' as const,
    metadata: { name, namespace: 'default' },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: `service-${service}` }],
      circuitBreaker: { maxRequests: 100 + attempt },
    },
  };
  await plane.store.update(TRAFFIC_POLICY, policy).catch(() => plane.store.create(TRAFFIC_POLICY, policy));
};

process.on('message', (message: { type: string; service: number; attempt: number }) => {
  if (message.type === 'change')
    void change(message.service, message.attempt).then(() => process.send?.({ type: 'changed' }));
  if (message.type === 'usage')
    process.send?.({ type: 'usage', cpu: process.cpuUsage(), memory: process.memoryUsage().rss });
});
process.on('disconnect', () => {
  rmSync(dataDir, { recursive: true, force: true });
  process.exit(0);
});
process.send?.({
  type: 'ready',
  url: plane.url,
  trustBundlePem: plane.trustBundlePem,
  certificatePem: plane.identities.mesh.authority.certificatePem,
  keyPem: plane.identities.mesh.authority.keyPem,
});
