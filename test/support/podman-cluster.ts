/** As much of a cluster as pods need: a control plane, Secrets with tokens, addresses, names, and the kubelet's order of starting. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import type { PodmanEngine } from './podman-engine.ts';
import { IMAGES } from './podman-images.ts';
import { type Manifest, type Pod, toPods, type VolumeSource } from './podman-manifest.ts';
import { runToEnd } from './processes.ts';
import { waitFor } from './wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const NAMESPACE = 'default';
const FIRST_POD = 30;
/** As `outrider install` calls its volume, Deployment and Service. */
const CONTROL_PLANE = 'outrider';
const CONTROL_PLANE_NAME = 'outrider.outrider-system.svc';
/** As `outrider inject` calls the container. */
const SIDECAR = 'outrider-sidecar';
/** What the mesh reads of a manifest; the rest is for whoever runs pods. */
const MESH_KINDS = ['Service', 'HTTPRoute', 'TrafficPolicy', 'PeerAuthentication'];

interface Service extends Manifest {
  readonly spec: { readonly clusterIP: string };
}

interface Secret extends Manifest {
  readonly stringData: Readonly<Record<string, string>>;
}

/** What it starts is the engine's, which takes it along. */
export class PodmanCluster {
  private readonly engine: PodmanEngine;
  private readonly services: Service[] = [];
  private readonly secrets = new Set<string>();
  private readonly numbers = new Map<string, number>();
  /** How `outrider` finds the control plane. */
  private env: NodeJS.ProcessEnv = {};

  private constructor(engine: PodmanEngine) {
    this.engine = engine;
  }

  /** With the control plane of `outrider install`. */
  static async start(engine: PodmanEngine): Promise<PodmanCluster> {
    const cluster = new PodmanCluster(engine);
    const [pod] = await cluster.podsOf(parseManifest(await cluster.outrider('install', '--image', IMAGES.sidecar)));
    if (pod === undefined) throw new Error('outrider install prints no Deployment');
    await cluster.start(pod);
    const url = `http://${cluster.addressOf(pod.metadata.name)}:15014/healthz/ready`;
    await waitFor('the control plane', async () => (await fetch(url)).ok, 30_000);
    const volume = await engine.podman('volume', 'inspect', '--format', '{{.Mountpoint}}', CONTROL_PLANE);
    cluster.env = {
      OUTRIDER_SERVER: `https://${cluster.addressOf(pod.metadata.name)}:15010`,
      OUTRIDER_DATA_DIR: join(volume, 'data'),
    };
    return cluster;
  }

  addressOf(pod: string): string {
    return this.engine.address(this.numberOf(pod));
  }

  /** The command, on the test's machine. */
  async outrider(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runToEnd(process.execPath, [PROGRAM, ...words], { env: this.env });
    if (code !== 0) throw new Error(`outrider ${words.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** `outrider inject --classic`, and what a cluster would make of it. The pods have not been started. */
  async apply(name: string, manifest: string): Promise<readonly Pod[]> {
    const file = this.engine.file(`${name}.yaml`);
    writeFileSync(file, manifest);
    const images = ['--image', IMAGES.sidecar, '--init-image', IMAGES.init];
    const objects = parseManifest(await this.outrider('inject', '--classic', ...images, '-f', file));
    const ofMesh = objects.filter(({ kind }) => MESH_KINDS.includes(kind));
    if (ofMesh.length > 0) {
      writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: ofMesh }));
      await this.outrider('apply', '-f', file);
    }
    this.services.push(...objects.filter((object): object is Service => object.kind === 'Service'));
    return this.podsOf(objects);
  }

  /** As the kubelet does: its init containers to their ends, the sidecar until its `postStart` hook has ended, the others. */
  async start(pod: Pod): Promise<void> {
    const { engine } = this;
    const { name } = pod.metadata;
    const file = engine.file(`pod-${name}.json`);
    writeFileSync(file, JSON.stringify(pod));
    await engine.podman('kube', 'play', '--start=false', ...engine.at(this.numberOf(name)), file);
    for (const init of pod.spec.initContainers ?? []) await engine.podman('start', '--attach', `${name}-${init.name}`);
    for (const container of pod.spec.containers) {
      await engine.podman('start', `${name}-${container.name}`);
      if (container.name === SIDECAR) await engine.podman('exec', `${name}-${SIDECAR}`, ...hookOf(container as Hooked));
    }
  }

  /** As the kubelet does: SIGTERM to all containers, SIGKILL to what is left after the grace period. Its volumes go with it. */
  async stop({ metadata: { name } }: Pod, graceSeconds: number): Promise<void> {
    await this.engine.podman('pod', 'stop', '--time', String(graceSeconds), name);
    await this.engine.podman('pod', 'rm', name);
  }

  private numberOf(pod: string): number {
    const number = this.numbers.get(pod) ?? FIRST_POD + this.numbers.size;
    this.numbers.set(pod, number);
    return number;
  }

  private async podsOf(objects: readonly Manifest[]): Promise<readonly Pod[]> {
    const sources: VolumeSource[] = [];
    const pods = toPods(objects, {
      namespace: NAMESPACE,
      addressOf: pod => this.addressOf(pod),
      services: [
        { names: [CONTROL_PLANE_NAME], clusterIP: this.addressOf(`${CONTROL_PLANE}-0`) },
        ...this.services.map(namesOf),
      ],
      folderOf: each => {
        sources.push(...each);
        return this.engine.file(each[0]?.name ?? '');
      },
    });
    for (const { name } of sources) await this.fill(name);
    return pods;
  }

  /** The Secret of a service account, as the docs say to make it. */
  private async fill(name: string): Promise<void> {
    if (this.secrets.has(name)) return;
    this.secrets.add(name);
    const account = name.replace(/^outrider-/, '');
    const secret = parse(await this.outrider('token', '--service-account', account, '-o', 'secret')) as Secret;
    mkdirSync(this.engine.file(name), { recursive: true });
    for (const [key, value] of Object.entries(secret.stringData))
      writeFileSync(this.engine.file(`${name}/${key}`), value);
  }
}

const parseManifest = (text: string): readonly Manifest[] =>
  parseAllDocuments(text).map(document => document.toJS() as Manifest);

const namesOf = ({ metadata: { name }, spec }: Service) => ({
  names: [name, `${name}.${NAMESPACE}`, `${name}.${NAMESPACE}.svc`],
  clusterIP: spec.clusterIP,
});

interface Hooked {
  readonly lifecycle?: { readonly postStart?: { readonly exec?: { readonly command?: readonly string[] } } };
}

const hookOf = ({ lifecycle }: Hooked): readonly string[] => {
  const command = lifecycle?.postStart?.exec?.command;
  if (command === undefined) throw new Error('the sidecar has no postStart hook');
  return command;
};
