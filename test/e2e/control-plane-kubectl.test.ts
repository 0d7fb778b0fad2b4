import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Finished, RunningProcess, runToEnd } from '../support/processes.ts';
import { RestClient, startControlPlane } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

const MANIFEST = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules: [{ backendRefs: [{ name: web, port: 80, weight: 90 }, { name: other, port: 80, weight: 10 }] }]
---
apiVersion: outrider.mesh/v1
kind: TrafficPolicy
metadata: { name: web }
spec: { targetRefs: [{ name: web }], timeouts: { request: 10s } }
`;

t.setTimeout(120_000);

t.test(
  'kubectl works unmodified with the kubeconfig of the first start',
  { skip: hasKubectl ? false : 'kubectl is not installed' },
  async t => {
    const dataDir = t.testdir();
    await using plane = await startControlPlane(dataDir);
    await using client = new RestClient(plane.restUrl, dataDir);
    const env = { KUBECONFIG: join(dataDir, 'kubeconfig'), HOME: dataDir };
    const kubectl = (...args: string[]): Promise<Finished> => runToEnd('kubectl', args, { env, timeoutMs: 30_000 });
    const works = async (args: readonly string[], expected: RegExp) => {
      const { code, stdout, stderr } = await kubectl(...args);
      t.match(stdout, expected, `kubectl ${args.join(' ')}\n${stdout}${stderr}`);
      t.equal(code, 0, `kubectl ${args[0]} exits 0`);
    };
    const fails = async (args: readonly string[], expected: RegExp) => {
      const { code, stdout, stderr } = await kubectl(...args);
      t.match(stderr, expected, `kubectl ${args.join(' ')}\n${stdout}${stderr}`);
      t.equal(code, 1, `kubectl ${args[0]} exits 1`);
    };
    const file = join(dataDir, 'web.yaml');
    writeFileSync(file, MANIFEST);

    await works(['apply', '-f', file], /service\/web created\nhttproute.*\/web created\ntrafficpolicy.*\/web created/);
    await works(['apply', '-f', file], /service\/web unchanged/);
    await works(['get', 'svc'], /NAME +TYPE +CLUSTER-IP .*\nweb +ClusterIP/);
    await works(['get', 'httproutes', '-A', '-o', 'wide'], /NAMESPACE +NAME .*\ndefault +web/);
    await works(['get', 'tp,svc', '-l', '!app', '-o', 'name'], /service\/web/);
    await works(['get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[0].targetPort}'], /^8080$/);
    await works(
      ['wait', '--for=jsonpath={.status.parents[0].conditions[0].status}=True', 'httproute/web', '--timeout=10s'],
      /condition met/,
    );
    await works(['describe', 'svc', 'web'], /Selector: +app=web/);
    await works(['describe', 'httproute', 'web'], /Reason: +BackendNotFound/);
    await works(['describe', 'namespace', 'default'], /Status: +Active/);
    await works(['explain', 'trafficpolicy.spec.timeouts'], /request\s+<string>/);
    await works(['api-resources'], /meshconfigs .*outrider.mesh\/v1 +false +MeshConfig/);

    await using watch = new RunningProcess('kubectl', ['get', 'svc', '-w', '--no-headers'], { env });
    await waitFor('the first line of the watch', () => /web/.test(watch.stdout));
    await works(['patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":81,"name":"more"}]}}'], /patched/);
    await waitFor('the change in the watch', () => /80\/TCP,81\/TCP/.test(watch.stdout));
    writeFileSync(file, MANIFEST.replace('targetPort: 8080', 'targetPort: 9090').replace('weight: 90', 'weight: 0'));
    await works(['apply', '-f', file, '--dry-run=server'], /service\/web configured \(server dry run\)/);
    await works(['apply', '-f', file], /service\/web configured\nhttproute.*\/web configured/);
    t.match(
      (await client.call('GET', '/api/v1/namespaces/default/services/web')).body,
      { spec: { ports: [{ port: 80, targetPort: 9090 }, { port: 81 }] } },
      'apply changed its port and left the other one',
    );

    const editor = join(dataDir, 'editor.sh');
    writeFileSync(editor, '#!/bin/sh\nsed -i s/9090/7070/ "$1"\n', { mode: 0o755 });
    const edited = await runToEnd('kubectl', ['edit', 'svc', 'web'], {
      env: { ...env, KUBE_EDITOR: editor },
      timeoutMs: 30_000,
    });
    t.match(edited, { code: 0, stdout: /edited/ }, `kubectl edit ${edited.stderr}`);
    await works(['label', 'svc', 'web', 'a=b'], /labeled/);

    writeFileSync(file, MANIFEST.replace('weight: 90', 'weight: -1'));
    await fails(
      ['apply', '-f', file],
      /spec\.rules\[0\]\.backendRefs\[0\]\.weight: .*must be an integer from 0 to 1000000, not -1/,
    );
    writeFileSync(file, MANIFEST.replace('targetRefs', 'targetRef'));
    await fails(['apply', '-f', file], /did you mean "targetRefs"/);
    await fails(['apply', '-f', file, '--server-side'], /[Ss]erver-side apply not available/);
    await fails(['get', 'pods'], /resource type "pods"/);
    await fails(['delete', 'namespace', 'default'], /may not be deleted/);

    await works(['create', 'namespace', 'shop'], /namespace\/shop created/);
    await works(['create', 'serviceaccount', 'web', '-n', 'shop'], /serviceaccount\/web created/);
    await works(['create', 'token', 'web', '-n', 'shop'], /^ey/);
    await works(['create', 'service', 'clusterip', 'api', '--tcp=80:8080', '-n', 'shop'], /service\/api created/);
    await works(['delete', 'namespace', 'shop'], /namespace "shop" deleted/);

    writeFileSync(file, MANIFEST);
    await works(['delete', '-f', file], /service "web" deleted\n.*"web" deleted/);
    await fails(['get', 'svc', 'web'], /services "web" not found/);
  },
);
