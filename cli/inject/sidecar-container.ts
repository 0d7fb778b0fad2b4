import { METRICS_PORT, SIDECAR, STATE_VOLUME, TOKEN_VOLUME } from './names.ts';
import type { Plain } from './plain.ts';
import { SIDECAR_PORTS } from './ports.ts';
import type { SidecarSettings } from './settings.ts';

/** The user and group of the image. Istio's, so that rules and policies written for that hold. */
export const SIDECAR_UID = 1337;

/** What the sidecar's container may do: nothing but open ports above 1023. Kubernetes Pod Security Standard "restricted". */
export const RESTRICTED: Plain = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsGroup: SIDECAR_UID,
  runAsNonRoot: true,
  runAsUser: SIDECAR_UID,
  seccompProfile: { type: 'RuntimeDefault' },
};

const TOKEN_FOLDER = '/var/run/secrets/outrider';
const STATE_FOLDER = '/var/lib/outrider';

/** 0444: the Secret's files are root's, the sidecar is not. */
const READABLE = 0o444;
/** Five minutes: a control plane that is not there yet. */
const START_SECONDS = 300;

const probe = (path: string, more: Plain): Plain => ({ httpGet: { path, port: SIDECAR_PORTS.metrics }, ...more });

/**
 * The container. Native: the app starts when its startup probe has passed. Classic: it stands first, and its `postStart` hook holds the
 * others back, since the kubelet starts containers one by one.
 */
export const sidecarContainer = (settings: SidecarSettings, endsWithApp: boolean): Plain => ({
  name: SIDECAR,
  image: settings.image,
  imagePullPolicy: settings.imagePullPolicy,
  args: ['sidecar', ...(endsWithApp ? ['--exit-with-app'] : [])],
  ...(settings.native ? { restartPolicy: 'Always' } : {}),
  env: [
    { name: 'OUTRIDER_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    ...Object.entries({
      ...settings.env,
      OUTRIDER_TOKEN_FILE: `${TOKEN_FOLDER}/token`,
      OUTRIDER_CA_FILE: `${TOKEN_FOLDER}/trust-bundle.pem`,
      // A folder within the volume: the sidecar makes it, and so it is its own, with mode 0700.
      OUTRIDER_STATE_DIR: `${STATE_FOLDER}/state`,
    }).map(([name, value]) => ({ name, value })),
  ],
  ports: [
    { name: 'outrider-mtls', containerPort: SIDECAR_PORTS.inbound, protocol: 'TCP' },
    { name: METRICS_PORT, containerPort: SIDECAR_PORTS.metrics, protocol: 'TCP' },
  ],
  ...(settings.native
    ? { startupProbe: probe('/healthz/ready', { periodSeconds: 1, failureThreshold: START_SECONDS }) }
    : { lifecycle: { postStart: { exec: { command: ['outrider', 'wait', '--timeout', `${START_SECONDS}s`] } } } }),
  readinessProbe: probe('/healthz/ready', { periodSeconds: 5 }),
  livenessProbe: probe('/healthz/live', { periodSeconds: 10, initialDelaySeconds: 10, timeoutSeconds: 5 }),
  resources: Object.fromEntries(Object.entries(settings.resources).filter(([, each]) => Object.keys(each).length > 0)),
  securityContext: RESTRICTED,
  volumeMounts: [
    { name: TOKEN_VOLUME, mountPath: TOKEN_FOLDER, readOnly: true },
    { name: STATE_VOLUME, mountPath: STATE_FOLDER },
  ],
});

/** The token, and what the sidecar was told: in memory, since it has its key; it outlives the container and not the pod. */
export const sidecarVolumes = ({ tokenSecret }: SidecarSettings): readonly Plain[] => [
  { name: TOKEN_VOLUME, secret: { secretName: tokenSecret, defaultMode: READABLE } },
  { name: STATE_VOLUME, emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
];
