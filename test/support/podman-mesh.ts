/** A mesh of containers: a control plane, and apps that each share their network with a sidecar. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { PodmanEngine } from './podman-engine.ts';
import { APP_IMAGE, IMAGES } from './podman-images.ts';
import { waitFor } from './wait-for.ts';

/** What a sidecar may do in a pod: nothing but open ports. */
export const RESTRICTED: readonly string[] = [
  '--read-only',
  '--cap-drop',
  'all',
  '--security-opt',
  'no-new-privileges',
];

/** Ticks of `/proc/PID/stat` in a second: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS = 100;
const CONTROL_PLANE = 10;
/** The trust bundle, which the image has no other program to print. */
const PRINT_BUNDLE = `process.stdout.write(fs.readFileSync(process.env.OUTRIDER_DATA_DIR + '/trust-bundle.pem'))`;

/** What it starts is the engine's, which takes it along. */
export class PodmanMesh {
  private readonly engine: PodmanEngine;

  private constructor(engine: PodmanEngine) {
    this.engine = engine;
  }

  static async start(engine: PodmanEngine): Promise<PodmanMesh> {
    await engine.podman(
      ...['run', '--detach', '--name', 'control-plane', ...engine.at(CONTROL_PLANE), ...RESTRICTED],
      ...['--volume', 'control-plane:/var/lib/outrider', IMAGES.sidecar],
      ...['control-plane', '--name', engine.address(CONTROL_PLANE)],
    );
    await waitFor('the control plane', async () => (await engine.logs('control-plane')).includes('is ready'), 20_000);
    const bundle = await engine.podman('exec', 'control-plane', 'node', '-e', PRINT_BUNDLE);
    writeFileSync(engine.file('trust-bundle.pem'), `${bundle}\n`);
    return new PodmanMesh(engine);
  }

  private token(account: string): Promise<string> {
    return this.engine.podman('exec', 'control-plane', 'outrider', 'token', '--service-account', account);
  }

  /** A program for Node, as root in a Debian, with the address of that number. */
  async app(service: string, number: number, program: string): Promise<void> {
    const { engine } = this;
    const words = ['--detach', '--name', `${service}-app`, ...engine.at(number), APP_IMAGE, 'node', '-e', program];
    await engine.podman('run', ...words);
    writeFileSync(engine.file(`token-${service}`), await this.token(service));
  }

  /** Starts the app's sidecar, and says how many seconds after the start of its process it was ready. */
  async sidecar(service: string, number: number): Promise<number> {
    const { engine } = this;
    const settings = {
      OUTRIDER_SERVICE: service,
      OUTRIDER_APP_PORTS: 'http=8080',
      OUTRIDER_CONTROL_PLANE: `https://${engine.address(CONTROL_PLANE)}:15012`,
      OUTRIDER_TOKEN_FILE: '/token',
      OUTRIDER_CA_FILE: '/ca.pem',
      OUTRIDER_DRAIN: '5s',
    };
    await engine.podman(
      ...['create', '--replace', '--name', `${service}-sidecar`, '--network', `container:${service}-app`],
      ...[...RESTRICTED, '--volume', `${engine.file(`token-${service}`)}:/token:ro`],
      ...['--volume', `${engine.file('trust-bundle.pem')}:/ca.pem:ro`],
      ...Object.entries(settings).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...[IMAGES.sidecar, 'sidecar'],
    );
    const ready = waitFor(`${service} to be ready`, async () => {
      const response = await fetch(`http://${engine.address(number)}:15020/healthz/ready`);
      await response.body?.cancel();
      return response.ok && uptime();
    });
    await engine.podman('start', `${service}-sidecar`);
    const pid = await engine.podman('inspect', '--format', '{{.State.Pid}}', `${service}-sidecar`);
    return (await ready) - startOf(Number(pid));
  }
}

/** Seconds since the machine started. */
const uptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);

/** When a process was started, in seconds since the machine was; the kernel's clock for it ticks every 10 ms. */
const startOf = (pid: number): number => {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=[A-Z] )/);
  return Number(fields.split(' ')[19]) / TICKS;
};
