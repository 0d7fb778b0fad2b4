/** Services with hand-written workloads, for tests of scale. */
import { NAMESPACE } from '../../api/namespace.ts';
import { SERVICE } from '../../api/service.ts';
import { WORKLOAD } from '../../api/workload.ts';
import type { ResourceStore } from '../../control-plane/store/resource-store.ts';

/** `service-0.default` …, each with so many workloads. */
export const createServices = async (store: ResourceStore, services: number, workloads: number): Promise<void> => {
  await store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }).catch(() => {});
  const writes: Promise<unknown>[] = [];
  for (let i = 0; i < services; i++) {
    const name = `service-${i}`;
    writes.push(
      store.create(SERVICE, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default' },
        spec: { type: 'ClusterIP', ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }] },
      }),
    );
    for (let j = 0; j < workloads; j++)
      writes.push(
        store.create(WORKLOAD, {
          apiVersion: 'outrider.mesh/v1',
          kind: 'Workload',
          metadata: { name: `${name}-${j}`, namespace: 'default', labels: { app: name } },
          spec: {
            address: `10.${i >> 8}.${i & 255}.${j}`,
            ports: [{ name: 'http', port: 8080, protocol: 'http' }],
            service: name,
            serviceAccount: name,
            sidecarPort: 15006,
            weight: 1,
          },
        }),
      );
  }
  await Promise.all(writes);
};
