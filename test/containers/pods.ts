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
/** Asks every 10 ms until there is a file /stop, and says how often it got which answer. */
const KEEP_ASKING = `
const counts = {};
const ask = () => fetch('http://web/').then(async r => r.status + ' ' + (await r.text()).split(' ')[0], error => String(error.cause ?? error));
const timer = setInterval(async () => {
  if (fs.existsSync('/stop')) clearInterval(timer);
  const answer = await ask();
  counts[answer] = (counts[answer] ?? 0) + 1;
}, 10);
process.on('exit', () => console.log(JSON.stringify(counts)));`;
/** SIGTERM to the end of the grace period: what the manifests say. */
const GRACE_SECONDS = 8;

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
      terminationGracePeriodSeconds: ${GRACE_SECONDS}
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
  await Promise.all([...web, client].map(pod => cluster.start(pod)));

  await t.test('what an app calls by its plain address goes over mTLS', async t => {
    const answers = new Set<string>();
    for (let i = 0; i < 8; i++) answers.add(await engine.podman('exec', 'client-0-client', 'node', '-e', ASK));
    t.strictSame([...answers].sort(), [
      'web-0 spiffe://mesh.local/ns/default/sa/client',
      'web-1 spiffe://mesh.local/ns/default/sa/client',
    ]);
    t.equal(await engine.podman('exec', 'web-0-outrider-sidecar', 'outrider', 'wait'), '', 'the hook finds it ready');
    await t.rejects(fetch(`http://${cluster.addressOf('web-0')}:8080/`), 'plain text from elsewhere is refused');
  });

  await t.test("a Job's pod completes", async t => {
    const [asks] = await cluster.apply('asks', job('asks', ASK));
    if (asks === undefined) throw new Error('no pod of the job');
    await cluster.start(asks);
    t.equal(await engine.podman('wait', 'asks-0-asks'), '0');
    t.match(await engine.logs('asks-0-asks'), /^web-\d spiffe:\/\/mesh\.local\/ns\/default\/sa\/default$/m);
    t.equal(await engine.podman('wait', 'asks-0-outrider-sidecar'), '0', 'its sidecar ends with it');
  });

  await t.test('a rolling restart costs no request', async t => {
    const load = engine.try('podman', ['exec', 'client-0-client', 'node', '-e', KEEP_ASKING], 180_000);
    for (const pod of web) {
      await cluster.stop(pod, GRACE_SECONDS);
      await cluster.start(pod);
    }
    await engine.podman('exec', 'client-0-client', 'touch', '/stop');
    const counts = JSON.parse((await load).stdout) as Record<string, number>;
    t.comment(JSON.stringify(counts));
    t.strictSame(Object.keys(counts).sort(), ['200 web-0', '200 web-1'], 'every answer is one of the app');
  });
};
