import { Command, CommanderError } from 'commander';
import { registerApply } from './apply.ts';
import { registerControlPlane } from './control-plane.ts';
import { registerDelete } from './delete.ts';
import { registerDescribe } from './describe.ts';
import { registerGet } from './get.ts';
import { registerSidecar } from './sidecar.ts';

import { registerStatus } from './status.ts';
import { registerToken } from './token.ts';
import { version } from './version.ts';

/** The executable: exit codes are 0 done, 1 failed, 2 wrong usage. */
const program = new Command('outrider')
  .description('A service mesh for any RPC.')
  .version(version)
  .showHelpAfterError('(outrider --help says more)')
  .exitOverride();

for (const register of [
  registerControlPlane,
  registerSidecar,
  registerApply,
  registerGet,
  registerDescribe,
  registerDelete,
  registerToken,
  registerStatus,
])
  register(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`outrider: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
