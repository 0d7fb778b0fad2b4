/** One object of each kind with pods, with most that a pod template can have of what `outrider inject` touches. */

const app = {
  name: 'app',
  image: 'registry.example/web:1',
  ports: [
    { name: 'http-web', containerPort: 8080 },
    { name: 'metrics', containerPort: 9100, protocol: 'TCP' },
  ],
  env: [{ name: 'MODE', value: 'production' }],
  readinessProbe: { httpGet: { path: '/ready', port: 'http-web' }, periodSeconds: 5 },
  livenessProbe: { tcpSocket: { port: 8080 } },
  startupProbe: { grpc: { port: 9100 } },
};
const migrate = { name: 'migrate', image: 'registry.example/migrate:1', command: ['migrate'] };
const template = (spec: object = {}) => ({
  metadata: { labels: { app: 'web' }, annotations: { 'sidecar.outrider.mesh/upstreams': 'payments=9101' } },
  spec: { containers: [app], initContainers: [migrate], volumes: [{ name: 'cache', emptyDir: {} }], ...spec },
});
const object = (apiVersion: string, kind: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name: 'web', namespace: 'shop' },
  spec,
});
const selector = { matchLabels: { app: 'web' } };
const job = { template: template({ restartPolicy: 'Never' }), backoffLimit: 2 };

export const PODS = {
  pod: { apiVersion: 'v1', kind: 'Pod', ...template(), metadata: { name: 'web', labels: { app: 'web' } } },
  deployment: object('apps/v1', 'Deployment', { replicas: 2, selector, template: template() }),
  'stateful set': object('apps/v1', 'StatefulSet', { serviceName: 'web', selector, template: template() }),
  'daemon set': object('apps/v1', 'DaemonSet', { selector, template: template() }),
  'replica set': object('apps/v1', 'ReplicaSet', { selector, template: template() }),
  job: object('batch/v1', 'Job', job),
  'cron job': object('batch/v1', 'CronJob', { schedule: '0 * * * *', jobTemplate: { spec: job } }),
} as const;
