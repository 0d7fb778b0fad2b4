/** As much of a cluster as pods need: a control plane, Secrets with tokens, addresses, names, and the kubelet's order of starting. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { PodmanEngine } from './podman-engine.ts';
import { IMAGES } from './podman-images.ts';
import { type Manifest, type Pod, toPods, type VolumeSource } from './podman-manifest.ts';
import { PodmanMesh, SERVICE_NAME } from './podman-mesh.ts';
import { runToEnd } from './processes.ts';
import { waitFor } from './wait-for.ts';

/** As `outrider inject` calls the container. */
const SIDECAR = 'outrider-sidecar';
const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const NAMESPACE = 'default';
const FIRST_POD = 30;
/** What the control plane takes of a manifest; the rest is for whoever runs pods. */
const MESH_KINDS = ['Service', 'HTTPRoute', 'TrafficPolicy', 'PeerAuthentication'];

interface Service extends Manifest {
  readonly spec: { readonly clusterIP: string };
}

/** What it starts is the engine's, which takes it along. */
export class PodmanCluster {
  private readonly engine: PodmanEngine;
  private readonly mesh: PodmanMesh;
  private readonly services: Service[] = [];
  private readonly secrets = new Set<string>();
  private readonly numbers = new Map<string, number>();

  private constructor(engine: PodmanEngine, mesh: PodmanMesh) {
    this.engine = engine;
    this.mesh = mesh;
  }

  static async start(engine: PodmanEngine): Promise<PodmanCluster> {
    return new PodmanCluster(engine, await PodmanMesh.start(engine));
  }

  addressOf(pod: string): string {
    return this.engine.address(this.numberOf(pod));
  }

  /** `outrider inject --classic`, and what a cluster would make of it. The pods have not been started. */
  async apply(name: string, manifest: string): Promise<readonly Pod[]> {
    const file = this.engine.file(`${name}.yaml`);
    writeFileSync(file, manifest);
    const images = ['--image', IMAGES.sidecar, '--init-image', IMAGES.init];
    const injected = await runToEnd(process.execPath, [PROGRAM, 'inject', '--classic', ...images, '-f', file]);
    if (injected.code !== 0) throw new Error(injected.stderr);
    const objects = parseAllDocuments(injected.stdout).map(document => document.toJS() as Manifest);
    for (const object of objects.filter(({ kind }) => MESH_KINDS.includes(kind))) await this.mesh.apply(object);
    this.services.push(...objects.filter((object): object is Service => object.kind === 'Service'));
    const sources: VolumeSource[] = [];
    const pods = toPods(objects, {
      namespace: NAMESPACE,
      addressOf: pod => this.addressOf(pod),
      services: [{ names: [SERVICE_NAME], clusterIP: this.mesh.address }, ...this.services.map(namesOf)],
      folderOf: each => {
        sources.push(...each);
        return this.engine.file(each[0]?.name ?? '');
      },
    });
    for (const { name } of sources) await this.fill(name);
    return pods;
  }

  /** As the kubelet does: its init containers to their ends, the sidecar until it is ready, which is what its `postStart` hook waits for, the others. */
  async start(pod: Pod): Promise<void> {
    const { engine } = this;
    const { name } = pod.metadata;
    const file = engine.file(`pod-${name}.json`);
    writeFileSync(file, JSON.stringify(pod));
    await engine.podman('kube', 'play', '--start=false', ...engine.at(this.numberOf(name)), file);
    for (const init of pod.spec.initContainers ?? []) await engine.podman('start', '--attach', `${name}-${init.name}`);
    for (const container of pod.spec.containers) {
      await engine.podman('start', `${name}-${container.name}`);
      if (container.name === SIDECAR) await this.ready(name);
    }
  }

  /** As the kubelet does: SIGTERM to all containers, SIGKILL to what is left after the grace period. Its volumes go with it. */
  async stop({ metadata: { name } }: Pod, graceSeconds: number): Promise<void> {
    await this.engine.podman('pod', 'stop', '--time', String(graceSeconds), name);
    await this.engine.podman('pod', 'rm', name);
  }

  private async ready(pod: string): Promise<void> {
    const url = `http://${this.addressOf(pod)}:15020/healthz/ready`;
    await waitFor(`${pod} to be ready`, async () => (await fetch(url)).ok, 30_000);
  }

  private numberOf(pod: string): number {
    const number = this.numbers.get(pod) ?? FIRST_POD + this.numbers.size;
    this.numbers.set(pod, number);
    return number;
  }

  /** The Secret of a service account. */
  private async fill(secret: string): Promise<void> {
    if (this.secrets.has(secret)) return;
    this.secrets.add(secret);
    mkdirSync(this.engine.file(secret), { recursive: true });
    const token = await this.mesh.token(secret.replace(/^outrider-/, ''));
    writeFileSync(this.engine.file(`${secret}/token`), token);
    writeFileSync(this.engine.file(`${secret}/trust-bundle.pem`), this.mesh.trustBundle);
  }
}

const namesOf = ({ metadata: { name }, spec }: Service) => ({
  names: [name, `${name}.${NAMESPACE}`, `${name}.${NAMESPACE}.svc`],
  clusterIP: spec.clusterIP,
});
