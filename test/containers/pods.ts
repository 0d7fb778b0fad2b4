/** Pods from what `outrider inject --classic` makes of manifests that know nothing of the mesh. */
import type { Test } from 'tap';
import { PodmanCluster } from '../support/podman-cluster.ts';
import type { PodmanEngine } from '../support/podman-engine.ts';
import { APP_IMAGE } from '../support/podman-images.ts';

/** Answers with who it is and who asks. */
const SERVER = `
require('node:http').createServer((request, response) => response.end(process.env.HOSTNAME + ' ' + request.headers['x-outrider-peer']))
  .listen(8080)`;
const ASK = `fetch('http://web/').then(r => r.text()).then(console.log)`;
/** Asks for four seconds, ten times a second, and says what came of it. */
const ASK_ON = `
const counts = {};
const timer = setInterval(async () => {
  const answer = await fetch('http://web/').then(async r => r.status + ' ' + (await r.text()).split(' ')[0], error => String(error.cause ?? error));
  counts[answer] = (counts[answer] ?? 0) + 1;
}, 10);
process.on('SIGUSR1', () => { clearInterval(timer); setTimeout(() => { console.log(JSON.stringify(counts)); process.exit(); }, 1000); });`;

const deployment = (name: string, replicas: number, program: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata:
      labels: { app: ${name} }
    spec:
      serviceAccountName: ${name}
      terminationGracePeriodSeconds: 8
      containers:
        - name: ${name}
          image: ${APP_IMAGE}
          command: [node, -e, ${JSON.stringify(program.trim())}]
          ports: [{ name: http, containerPort: 8080 }]
`;

const service = (name: string, clusterIP: string): string => `
apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  clusterIP: ${clusterIP}
  selector: { app: ${name} }
  ports: [{ name: http, port: 80, targetPort: 8080, appProtocol: http }]
`;

const job = (name: string, program: string): string => `
apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: ${name}
          image: ${APP_IMAGE}
          command: [node, -e, ${JSON.stringify(program.trim())}]
`;

export const testPods = async (t: Test, engine: PodmanEngine): Promise<void> => {
  const cluster = await PodmanCluster.start(engine);
  const manifest = [service('web', '10.96.0.10'), deployment('web', 2, SERVER)].join('---\n');
  const web = await cluster.apply('web', manifest);
  const [client] = await cluster.apply('client', deployment('client', 1, 'setInterval(() => {}, 1e9)'));
  if (client === undefined) throw new Error('no pod of the client');
  for (const pod of [...web, client]) {
    await cluster.start(pod);
    await cluster.ready(pod);
  }

  await t.test('what an app calls by its plain address goes over mTLS', async t => {
    const answers = new Set<string>();
    for (let i = 0; i < 8; i++) answers.add(await engine.podman('exec', 'client-0-client', 'node', '-e', ASK));
    t.strictSame([...answers].sort(), [
      'web-0 spiffe://mesh.local/ns/default/sa/client',
      'web-1 spiffe://mesh.local/ns/default/sa/client',
    ]);
    await t.rejects(fetch(`http://${cluster.addressOf('web-0')}:8080/`), 'plain text from elsewhere is refused');
  });
};
