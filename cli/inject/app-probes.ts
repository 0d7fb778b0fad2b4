import type { Document } from 'yaml';
import { replaceMember } from './edit.ts';
import { listOf, objectOf, type Plain, textOf } from './plain.ts';
import type { Path, PodTemplate } from './pod-templates.ts';
import { SIDECAR_PORTS } from './ports.ts';

/** The probes of a container, and what each is called in a path; Istio's words. */
const PROBES = [
  ['readinessProbe', 'readyz'],
  ['livenessProbe', 'livez'],
  ['startupProbe', 'startupz'],
] as const;

/** A probe that the sidecar makes in the kubelet's place. */
export interface AppProbe {
  /** Of the probe in the document. */
  readonly path: Path;
  /** What the kubelet would do, of which one is there. */
  readonly kind: 'httpGet' | 'tcpSocket' | 'grpc';
  /** Where the kubelet asks the sidecar for it. */
  readonly url: string;
  /** As the sidecar gets it: Kubernetes' own words, ports as numbers. */
  readonly probe: Plain;
}

/**
 * Probes by HTTP, TCP and gRPC that go to the pod. Those with a host of their own go elsewhere, and those by `exec` do not go over the network: both
 * stay. So does one whose port has a name that no port of its container has: the kubelet will say so.
 */
export const appProbes = ({ path, spec }: PodTemplate): readonly AppProbe[] =>
  ['initContainers', 'containers'].flatMap(list =>
    listOf(spec[list]).flatMap((container, i) =>
      PROBES.flatMap(([name, word]) => {
        const probe = objectOf(container[name]);
        const kind = (['httpGet', 'tcpSocket', 'grpc'] as const).find(each => probe[each] !== undefined);
        if (kind === undefined) return [];
        const { port, host, ...action } = objectOf(probe[kind]);
        const number = portOf(container, port);
        if (number === undefined || host !== undefined) return [];
        return [
          {
            path: [...path, 'spec', list, i, name],
            kind,
            url: `/app-health/${textOf(container.name) ?? ''}/${word}`,
            probe: {
              [kind]: { ...action, port: number },
              ...(typeof probe.timeoutSeconds === 'number' ? { timeoutSeconds: probe.timeoutSeconds } : {}),
            },
          },
        ];
      }),
    ),
  );

const portOf = (container: Plain, port: unknown): number | undefined => {
  if (typeof port === 'number') return port;
  const named = listOf(container.ports).find(({ name }) => name === port)?.containerPort;
  return typeof named === 'number' ? named : undefined;
};

/** Each goes to the sidecar. @throws EditError */
export const rewriteProbes = (document: Document, probes: readonly AppProbe[]): void => {
  for (const { path, kind, url } of probes)
    replaceMember(document, path, kind, 'httpGet', { path: url, port: SIDECAR_PORTS.metrics });
};

/** For the sidecar's environment; undefined: there are none. */
export const probesVariable = (probes: readonly AppProbe[]): string | undefined =>
  probes.length === 0 ? undefined : JSON.stringify(Object.fromEntries(probes.map(({ url, probe }) => [url, probe])));
