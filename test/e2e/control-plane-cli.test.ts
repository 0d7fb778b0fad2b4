import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { startControlPlane } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

const MANIFEST = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules: [{ backendRefs: [{ name: web, port: 80, weight: 90 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop, labels: { team: a } }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
`;

t.setTimeout(120_000);

t.test('apply, get, describe and delete do what they say, and say what they do', async t => {
  const dataDir = t.testdir({ manifests: { 'web.yaml': MANIFEST, 'readme.txt': 'not a resource' } });
  const folder = join(dataDir, 'manifests');
  const file = join(folder, 'web.yaml');
  await using plane = await startControlPlane(dataDir);
  const env = { OUTRIDER_SERVER: plane.restUrl, OUTRIDER_DATA_DIR: dataDir };
  const run = async (
    args: string,
    code: number,
    stdout: RegExp | string,
    stderr: RegExp | string = '',
    more: object = {},
  ) => {
    const result = await runToEnd(process.execPath, [PROGRAM, ...args.split(' ')], { env: { ...env, ...more } });
    t.match(result, { code, stdout, stderr }, `outrider ${args}\n${result.stdout}${result.stderr}`);
  };

  await run(`apply -f ${folder} --dry-run`, 1, 'namespace/shop created (dry run)\n', /namespaces "shop" not found/);
  await run(
    `apply -f ${folder}`,
    0,
    'namespace/shop created\nservice/web created\nhttproute.gateway.networking.k8s.io/web created\n',
  );
  await run(
    `apply -f ${file}`,
    0,
    'namespace/shop unchanged\nservice/web unchanged\nhttproute.gateway.networking.k8s.io/web unchanged\n',
  );
  writeFileSync(file, MANIFEST.replace('weight: 90', 'weight: 10').replace('labels: { team: a }', ''));
  await run(
    `apply -f ${file}`,
    0,
    'namespace/shop unchanged\nservice/web configured\nhttproute.gateway.networking.k8s.io/web configured\n',
  );

  await Promise.all([
    run('get svc -n shop', 0, /^NAME +TYPE .*\nweb +ClusterIP .*\n$/),
    run('get services -A -o wide', 0, /^NAMESPACE +NAME .*SELECTOR.*\nshop +web /),
    run('get service -n shop -l team=a', 0, '', 'there are no services in namespace shop\n'),
    run('get httproute web -n shop -o json', 0, /"weight": 10/),
    run('get httproutes -n shop -o yaml', 0, /^---\nkind: HTTPRouteList\n/),
    run('get ns -o name', 0, 'namespace/default\nnamespace/outrider-system\nnamespace/shop\n'),
    run('describe HTTPRoute web -n shop', 0, /^Name: +web\nNamespace: +shop\n.*Status:\n.*type: ResolvedRefs/s),
  ]);

  await using watch = new RunningProcess(process.execPath, [PROGRAM, 'get', 'svc', '-n', 'shop', '-w'], { env });
  await waitFor('the first line of the watch', () => watch.stdout.includes('80/TCP'));
  writeFileSync(file, MANIFEST.replace('{ port: 80 }', '{ port: 81 }'));
  await run(`apply -f ${file}`, 0, /service\/web configured/);
  await waitFor('the change in the watch', () => watch.stdout.includes('81/TCP'));

  writeFileSync(file, MANIFEST.split('---')[0]?.replace('weight: 90', 'weight: -1') ?? '');
  await run(
    `apply -f ${file}`,
    1,
    '',
    'error: spec.rules[0].backendRefs[0].weight: must be an integer from 0 to 1000000, not -1\n',
  );
  writeFileSync(file, 'a: b: c');
  await run(`apply -f ${file}`, 1, '', /^error: .*web.yaml: the YAML is broken: .* line 1/);
  writeFileSync(file, 'kind: Pod\napiVersion: v1');
  await run(`apply -f ${file}`, 1, '', /must be of a known kind, not "v1" "Pod"/);
  writeFileSync(file, 'kind: Service\napiVersion: v1');
  await run(`apply -f ${file}`, 1, '', /web.yaml: metadata.name: must be set/);
  await Promise.all([
    run('apply -f /nonexistent', 1, '', /^error: cannot read \/nonexistent/),
    run('get pods', 1, '', /^error: there is no kind "pods"; the kinds are namespaces, /),
    run('get httprouts', 1, '', 'error: there is no kind "httprouts"; did you mean "httproutes"?\n'),
    run('get svc none', 1, '', 'error: services "none" not found\n'),
  ]);
  await Promise.all([
    run('get', 2, '', /missing required argument/),
    run('gte svc', 2, '', /unknown command 'gte'.*Did you mean get\?/s),
    run('apply', 2, '', /-f, --filename/),
    run('delete svc', 2, '', /give a kind and names, or -f FILE/),
  ]);

  writeFileSync(file, MANIFEST);
  await run('delete svc none -n shop --ignore-not-found', 0, '');
  await run('delete svc web none -n shop', 1, 'service/web deleted\n', /services "none" not found/);
  await run(
    `delete -f ${file} --ignore-not-found`,
    0,
    'httproute.gateway.networking.k8s.io/web deleted\nnamespace/shop deleted\n',
  );
  await run('delete ns default', 1, '', /may not be deleted/);
});

t.test('a token is a JWT alone on standard output; namespace and account come with it', async t => {
  const dataDir = t.testdir();
  await using plane = await startControlPlane(dataDir);
  const run = (args: string) =>
    runToEnd(process.execPath, [PROGRAM, ...args.split(' ')], {
      env: { OUTRIDER_SERVER: plane.restUrl, OUTRIDER_DATA_DIR: dataDir },
    });
  const { code, stdout, stderr } = await run('token --service-account web -n shop --duration 20m --audience a b');
  t.match({ code, stderr }, { code: 0, stderr: '' });
  t.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const claims = JSON.parse(Buffer.from(stdout.split('.')[1] ?? '', 'base64url').toString()) as Record<string, number>;
  t.match(claims, { sub: 'system:serviceaccount:shop:web', aud: ['a', 'b'] });
  t.equal((claims.exp ?? 0) - (claims.iat ?? 0), 20 * 60);
  const secret = await run('token --service-account web -n shop -o secret');
  t.match(parse(secret.stdout), {
    kind: 'Secret',
    metadata: { name: 'outrider-web', namespace: 'shop' },
    stringData: { token: /^[\w-]+\.[\w-]+\.[\w-]+$/, 'trust-bundle.pem': /^-----BEGIN CERTIFICATE-----/ },
  });
  const [account, again, short, wrong, nobody, none, noneJson] = await Promise.all([
    run('get serviceaccount web -n shop -o name'),
    run('token --service-account web -n shop'),
    run('token --service-account web --duration 1s'),
    run('token --service-account web --duration soon'),
    run('token'),
    run('status'),
    run('status -n shop -o json'),
  ]);
  t.match(account, { code: 0, stdout: 'serviceaccount/web\n' });
  t.match(again, { code: 0, stderr: '' }, 'what exists is used');
  t.match(short, { code: 1, stdout: '', stderr: /^error: spec\.expirationSeconds: must be / });
  t.match(wrong, { code: 2, stderr: /must be a duration such as 1h or 30m/ });
  t.match(nobody, { code: 2, stderr: /--service-account <name>' not specified/ });
  t.match(none, { code: 0, stdout: 'no sidecar is connected\n' });
  t.same(JSON.parse(noneJson.stdout), { sidecars: [] });
});

t.test('who cannot reach the control plane is told why, and what to do', async t => {
  const dataDir = t.testdir({ other: {}, 'wrong-token': 'nonsense' });
  await using plane = await startControlPlane(dataDir);
  await using other = await startControlPlane(join(dataDir, 'other'));
  const CASES: readonly (readonly [string, string, object, RegExp])[] = [
    [
      'nobody there',
      '',
      { OUTRIDER_SERVER: 'https://127.0.0.1:1' },
      /^error: no control plane answers at https:\/\/127\.0\.0\.1:1 \(.*`outrider control-plane` starts one, --server/,
    ],
    [
      'no token',
      '--data-dir /nonexistent',
      {},
      /^error: cannot read the admin token: .*--data-dir .* says where it is/,
    ],
    [
      'wrong token',
      '',
      { OUTRIDER_ADMIN_TOKEN_FILE: join(dataDir, 'wrong-token'), OUTRIDER_CA_FILE: join(dataDir, 'trust-bundle.pem') },
      /does not accept the token of \S+wrong-token \(.*give the admin token/,
    ],
    [
      'wrong CA',
      '',
      { OUTRIDER_SERVER: other.restUrl },
      /does not chain to \S+trust-bundle\.pem \(.*--data-dir or OUTRIDER_CA_FILE/,
    ],
    [
      'wrong name',
      '',
      { OUTRIDER_SERVER: plane.restUrl.replace('127.0.0.1', '[::ffff:127.0.0.1]') },
      /certificate of the control plane is not for https:\/\/\[::ffff:.*--name/,
    ],
  ];
  await Promise.all(
    CASES.map(async ([name, flags, env, stderr]) => {
      const result = await runToEnd(process.execPath, [PROGRAM, ...`status ${flags}`.trim().split(' ')], {
        env: { OUTRIDER_SERVER: plane.restUrl, OUTRIDER_DATA_DIR: dataDir, ...env },
      });
      t.match(result, { code: 1, stdout: '', stderr }, name);
    }),
  );
});

t.test('wrong flags of the control plane are wrong usage', async t => {
  const CASES = [
    ['--rest', 'nonsense', /must be like 127\.0\.0\.1:15010/],
    ['--channel', '127.0.0.1:99999', /must be like/],
    ['--certificate-lifetime', '1 day', /must be a duration such as 24h/],
    ['--log-level', 'loud', /Allowed choices/],
  ] as const;
  await Promise.all(
    CASES.map(async ([flag, value, stderr]) => {
      const result = await runToEnd(process.execPath, [PROGRAM, 'control-plane', flag, value]);
      t.match(result, { code: 2, stderr }, flag);
    }),
  );
});
