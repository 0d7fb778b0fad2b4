import { Command, CommanderError } from 'commander';
import { version } from './version.ts';

type Register = (program: Command) => void;

/** Each command's module is loaded when it is asked for: a sidecar starts without what the others need. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  demo: async () => (await import('./demo.ts')).registerDemo,
  run: async () => (await import('./run.ts')).registerRun,
  'control-plane': async () => (await import('./control-plane.ts')).registerControlPlane,
  init: async () => (await import('./init.ts')).registerInit,
  inject: async () => (await import('./inject.ts')).registerInject,
  install: async () => (await import('./install.ts')).registerInstall,
  sidecar: async () => (await import('./sidecar.ts')).registerSidecar,
  apply: async () => (await import('./apply.ts')).registerApply,
  get: async () => (await import('./get.ts')).registerGet,
  describe: async () => (await import('./describe.ts')).registerDescribe,
  delete: async () => (await import('./delete.ts')).registerDelete,
  token: async () => (await import('./token.ts')).registerToken,
  status: async () => (await import('./status.ts')).registerStatus,
  wait: async () => (await import('./wait.ts')).registerWait,
  completion: async () => (await import('./completion.ts')).registerCompletion,
  complete: async () => {
    const { registerComplete } = await import('./complete.ts');
    return program => registerComplete(program, createProgram);
  },
};

/** With the commands of that name, which is all of them when there is none. */
const createProgram = async (name: string | undefined): Promise<Command> => {
  const program = new Command('outrider')
    .description('A service mesh for any RPC.')
    .version(version)
    .showHelpAfterError('(outrider --help says more)')
    .addHelpText('after', '\nExamples:\n  outrider demo --duration 20s\n  outrider run --help\n')
    .exitOverride();
  const asked = COMMANDS[name ?? ''];
  for (const load of asked === undefined ? Object.values(COMMANDS) : [asked]) (await load())(program);
  return program;
};

/** Exit codes are 0 done, 1 failed, 2 wrong usage. */
export const runProgram = async (argv: readonly string[]): Promise<void> => {
  try {
    await (await createProgram(argv[2])).parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      process.stderr.write(`outrider: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
};
