/** The control plane of a cluster, as Kubernetes objects. */

import { RESTRICTED, SIDECAR_UID } from '../inject/sidecar-container.ts';

type Json = Readonly<Record<string, unknown>>;

export interface InstallOptions {
  readonly namespace: string;
  readonly image: string;
  /** Of its volume; undefined: the cluster's default. */
  readonly storageClass: string | undefined;
  /** A quantity: `1Gi`. */
  readonly storage: string;
}

const NAME = 'outrider';
const LABELS = { 'app.kubernetes.io/name': NAME, 'app.kubernetes.io/part-of': 'outrider' };
const SELECTOR = { 'app.kubernetes.io/name': NAME };
const PORTS = { rest: 15_010, channel: 15_012, metrics: 15_014 } as const;
const DATA_FOLDER = '/var/lib/outrider/data';

/** Everything in it is ours alone: pods of apps go elsewhere. */
export const namespaceObject = ({ namespace }: InstallOptions): Json => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: namespace,
    labels: { ...LABELS, 'pod-security.kubernetes.io/enforce': 'restricted', 'sidecar.outrider.mesh/inject': 'false' },
  },
});

/**
 * The control plane itself asks nothing of the cluster's API, so its account may do nothing and has no token. What people may do with our kinds goes
 * into the roles that every cluster has.
 */
export const accessObjects = (
  { namespace }: InstallOptions,
  group: string,
  resources: readonly string[],
): readonly Json[] => [
  {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: NAME, namespace, labels: LABELS },
    automountServiceAccountToken: false,
  },
  role('view', ['view', 'edit', 'admin'], group, resources, ['get', 'list', 'watch']),
  role('edit', ['edit', 'admin'], group, resources, ['create', 'update', 'patch', 'delete', 'deletecollection']),
];

const role = (
  name: string,
  into: readonly string[],
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
): Json => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: {
    name: `${NAME}-${name}`,
    labels: {
      ...LABELS,
      ...Object.fromEntries(into.map(each => [`rbac.authorization.k8s.io/aggregate-to-${each}`, 'true'])),
    },
  },
  rules: [{ apiGroups: [group], resources, verbs }],
});

export const controlPlaneObjects = (options: InstallOptions): readonly Json[] => [
  service(options),
  volumeClaim(options),
  deployment(options),
  disruptionBudget(options),
];

const service = ({ namespace }: InstallOptions): Json => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: NAME, namespace, labels: LABELS },
  spec: {
    selector: SELECTOR,
    ports: Object.entries(PORTS).map(([name, port]) => ({ name, port, targetPort: name, protocol: 'TCP' })),
  },
});

/** The CA's key is in it: with a volume that goes away with the pod, each new pod would be the end of every certificate. */
const volumeClaim = ({ namespace, storage, storageClass }: InstallOptions): Json => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: NAME, namespace, labels: LABELS },
  spec: {
    accessModes: ['ReadWriteOnce'],
    ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
    resources: { requests: { storage } },
  },
});

/** One, which ends before the next begins: it holds the lock of its store. Sidecars go on with what they know meanwhile. */
const deployment = ({ namespace, image }: InstallOptions): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: NAME, namespace, labels: LABELS },
  spec: {
    replicas: 1,
    strategy: { type: 'Recreate' },
    selector: { matchLabels: SELECTOR },
    template: {
      metadata: {
        labels: LABELS,
        annotations: {
          'prometheus.io/scrape': 'true',
          'prometheus.io/port': String(PORTS.metrics),
          'prometheus.io/path': '/metrics',
          'sidecar.outrider.mesh/inject': 'false',
        },
      },
      spec: {
        serviceAccountName: NAME,
        automountServiceAccountToken: false,
        securityContext: { fsGroup: SIDECAR_UID, fsGroupChangePolicy: 'OnRootMismatch' },
        containers: [container(namespace, image)],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: NAME } }],
      },
    },
  },
});

const container = (namespace: string, image: string): Json => ({
  name: 'control-plane',
  image,
  imagePullPolicy: 'IfNotPresent',
  args: [
    'control-plane',
    `--data-dir=${DATA_FOLDER}`,
    `--rest=0.0.0.0:${PORTS.rest}`,
    ...[NAME, `${NAME}.${namespace}`, `${NAME}.${namespace}.svc`, `${NAME}.${namespace}.svc.cluster.local`].map(
      name => `--name=${name}`,
    ),
  ],
  // For the command within it: `kubectl exec deploy/outrider -- outrider status`.
  env: [{ name: 'OUTRIDER_DATA_DIR', value: DATA_FOLDER }],
  ports: Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort, protocol: 'TCP' })),
  startupProbe: { httpGet: { path: '/healthz/ready', port: 'metrics' }, periodSeconds: 1, failureThreshold: 60 },
  readinessProbe: { httpGet: { path: '/healthz/ready', port: 'metrics' }, periodSeconds: 5 },
  livenessProbe: { httpGet: { path: '/healthz/live', port: 'metrics' }, periodSeconds: 10, timeoutSeconds: 5 },
  resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
  securityContext: RESTRICTED,
  volumeMounts: [{ name: 'data', mountPath: '/var/lib/outrider' }],
});

/** A drain of its node may move it. */
const disruptionBudget = ({ namespace }: InstallOptions): Json => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: NAME, namespace, labels: LABELS },
  spec: { maxUnavailable: 1, selector: { matchLabels: SELECTOR } },
});
