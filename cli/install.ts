import type { Command } from 'commander';
export const registerInstall = (program: Command): void => {
  program.command('install');
};
