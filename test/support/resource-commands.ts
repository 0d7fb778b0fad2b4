/** The `outrider` commands about the control plane and its resources, as a program of their own. */
import { Command, CommanderError } from 'commander';
import { registerApply } from '../../cli/apply.ts';
import { registerControlPlane } from '../../cli/control-plane.ts';
import { registerDelete } from '../../cli/delete.ts';
import { registerDescribe } from '../../cli/describe.ts';
import { registerGet } from '../../cli/get.ts';

const program = new Command('outrider').exitOverride();
for (const register of [registerApply, registerControlPlane, registerDelete, registerDescribe, registerGet])
  register(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
