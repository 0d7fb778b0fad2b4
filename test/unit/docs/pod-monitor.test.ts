import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { METRICS_PORT } from '../../../cli/inject/names.ts';
import { controlPlaneObjects } from '../../../cli/install/control-plane.ts';

interface Monitor {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly podMetricsEndpoints: readonly { readonly port: string; readonly path: string }[];
  };
}
interface Deployment {
  readonly kind: string;
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly containers: readonly { readonly ports: readonly { readonly name: string }[] }[] };
    };
  };
}

const NAMESPACE = 'outrider-system';
const file = join(import.meta.dirname, '../../../manifests/prometheus/podmonitor.yaml');
const [sidecars, controlPlane] = parseAllDocuments(readFileSync(file, 'utf8')).map(
  document => document.toJS() as Monitor,
);

t.test('the monitors name the ports and the pods that inject and install make', t => {
  t.same(
    sidecars?.spec.podMetricsEndpoints.map(({ port }) => port),
    [METRICS_PORT],
  );
  const deployment = controlPlaneObjects({ namespace: NAMESPACE, image: 'a', storageClass: undefined, storage: '1Gi' })
    .map(object => object as unknown as Deployment)
    .find(({ kind }) => kind === 'Deployment');
  const { metadata, spec } = deployment?.spec.template ?? {};
  t.match(metadata?.labels, controlPlane?.spec.selector.matchLabels);
  const ports = spec?.containers.flatMap(each => each.ports.map(({ name }) => name)) ?? [];
  for (const { port, path } of controlPlane?.spec.podMetricsEndpoints ?? []) {
    t.ok(ports.includes(port), port);
    t.equal(path, '/metrics');
  }
  t.equal(controlPlane?.metadata.namespace, NAMESPACE);
  t.end();
});
