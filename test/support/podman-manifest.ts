/**
 * What `podman kube play` 4.3 lacks of a cluster, made up for in the manifest. Pods stay as they are except that
 *
 * - the pods of a Deployment, StatefulSet, DaemonSet or Job stand for it: one for each replica, `NAME-0`, `NAME-1`, …;
 * - a volume from Secrets or ConfigMaps, `projected` or not, is a folder of the machine, which the caller fills;
 * - an `emptyDir` has the pod's name before its own, since podman keeps one volume of a name for all pods;
 * - a variable with a `fieldRef` has its value;
 * - the list of `ports` is gone, since podman would open each `containerPort` on the machine;
 * - the names of Services stand in `hostAliases`, with their `clusterIP`: there is no DNS;
 * - beside init containers `restartPolicy` is `Never`, since podman would start those again and again.
 *
 * What else podman does not do is the test's affair: no probes, no `postStart` by itself, no resources, no restarts.
 */

type Fields = Readonly<Record<string, unknown>>;

interface Metadata extends Fields {
  readonly name: string;
  readonly namespace?: string;
}

/** Any object of a manifest. */
export interface Manifest extends Fields {
  readonly kind: string;
  readonly metadata: Metadata;
}

interface EnvVar extends Fields {
  readonly valueFrom?: Fields & { readonly fieldRef?: { readonly fieldPath: string } };
}

interface Container extends Fields {
  readonly name: string;
  readonly env?: readonly EnvVar[];
  readonly volumeMounts?: readonly (Fields & { readonly name: string })[];
}

/** A Secret or ConfigMap that a volume is made of. */
export interface VolumeSource {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
}

interface Volume extends Fields {
  readonly name: string;
  readonly secret?: Fields & { readonly secretName: string };
  readonly configMap?: Fields & { readonly name: string };
  readonly projected?: {
    readonly sources: readonly {
      readonly secret?: { readonly name: string };
      readonly configMap?: { readonly name: string };
    }[];
  };
}

export interface PodSpec extends Fields {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly hostAliases?: readonly Fields[];
}

export interface Pod extends Manifest {
  readonly spec: PodSpec;
}

/** What a cluster would know. */
export interface Cluster {
  /** Of objects that name none. */
  readonly namespace: string;
  readonly addressOf: (pod: string) => string;
  readonly services: readonly { readonly names: readonly string[]; readonly clusterIP: string }[];
  /** The folder that holds the files of these. */
  readonly folderOf: (sources: readonly VolumeSource[]) => string;
}

interface Workload extends Manifest {
  readonly spec: Fields & {
    readonly replicas?: number;
    readonly template: { readonly metadata?: Fields; readonly spec: PodSpec };
  };
}

const WORKLOADS: readonly string[] = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'];

/** The pods of a manifest, as podman can play them. */
export const toPods = (manifest: readonly Manifest[], cluster: Cluster): readonly Pod[] =>
  manifest.flatMap(podsOf).map(pod => forPodman(pod, cluster));

const podsOf = (object: Manifest): readonly Pod[] => {
  if (object.kind === 'Pod') return [object as Pod];
  if (!WORKLOADS.includes(object.kind)) return [];
  const { metadata, spec } = object as Workload;
  const { namespace } = metadata;
  return Array.from({ length: spec.replicas ?? 1 }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...spec.template.metadata,
      name: `${metadata.name}-${i}`,
      ...(namespace === undefined ? {} : { namespace }),
    },
    spec: spec.template.spec,
  }));
};

const forPodman = (pod: Pod, cluster: Cluster): Pod => {
  const { spec } = pod;
  const names = new Map((spec.volumes ?? []).map(volume => [volume.name, nameOf(volume, pod)]));
  const containers = (list: readonly Container[]) => list.map(each => container(each, names, pod, cluster));
  const { services } = cluster;
  return {
    ...pod,
    spec: {
      ...spec,
      containers: containers(spec.containers),
      ...(spec.initContainers === undefined
        ? {}
        : { initContainers: containers(spec.initContainers), restartPolicy: 'Never' }),
      ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(each => volume(each, pod, cluster)) }),
      ...(services.length === 0
        ? {}
        : {
            hostAliases: [
              ...(spec.hostAliases ?? []),
              ...services.map(({ names: hostnames, clusterIP }) => ({ ip: clusterIP, hostnames })),
            ],
          }),
    },
  };
};

const nameOf = (volume: Volume, pod: Pod): string =>
  'emptyDir' in volume ? `${pod.metadata.name}-${volume.name}` : volume.name;

const container = (
  { env, volumeMounts, ports: _informational, ...rest }: Container,
  names: ReadonlyMap<string, string>,
  pod: Pod,
  cluster: Cluster,
): Container => ({
  ...rest,
  ...(env === undefined ? {} : { env: env.map(each => variable(each, pod, cluster)) }),
  ...(volumeMounts === undefined
    ? {}
    : { volumeMounts: volumeMounts.map(each => ({ ...each, name: names.get(each.name) ?? each.name })) }),
});

/** @throws for a field that this cluster does not have. */
const variable = (variable: EnvVar, { metadata }: Pod, cluster: Cluster): EnvVar => {
  const path = variable.valueFrom?.fieldRef?.fieldPath;
  if (path === undefined) return variable;
  const { valueFrom: _gone, ...rest } = variable;
  const values: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? cluster.namespace,
    'status.podIP': cluster.addressOf(metadata.name),
  };
  const value = values[path];
  if (value === undefined) throw new Error(`no value for the fieldPath ${path}`);
  return { ...rest, value };
};

const volume = (volume: Volume, pod: Pod, cluster: Cluster): Volume => {
  const sources = sourcesOf(volume);
  if (sources === undefined) return { ...volume, name: nameOf(volume, pod) };
  return { name: volume.name, hostPath: { path: cluster.folderOf(sources), type: 'Directory' } };
};

const sourcesOf = ({ secret, configMap, projected }: Volume): readonly VolumeSource[] | undefined => {
  if (secret !== undefined) return [{ kind: 'Secret', name: secret.secretName }];
  if (configMap !== undefined) return [{ kind: 'ConfigMap', name: configMap.name }];
  return projected?.sources.flatMap(source => [
    ...(source.secret === undefined ? [] : [{ kind: 'Secret' as const, name: source.secret.name }]),
    ...(source.configMap === undefined ? [] : [{ kind: 'ConfigMap' as const, name: source.configMap.name }]),
  ]);
};
