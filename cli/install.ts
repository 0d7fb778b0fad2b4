import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { Failure, report } from './failure.ts';
import type { InstallOptions } from './install/control-plane.ts';
import { defaultImage } from './install/image.ts';
import { installManifests, kustomization } from './install/manifests.ts';

interface InstallFlags extends InstallOptions {
  readonly outputDir?: string;
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const QUANTITY = /^[1-9][0-9]*(Mi|Gi|Ti)$/;

/** `outrider install`: the control plane of a cluster. */
export const registerInstall = (program: Command): void => {
  program
    .command('install')
    .summary('the Kubernetes manifests of the control plane')
    .description(
      'Prints the Kubernetes manifests of the control plane: its namespace, the definitions of our kinds, roles, the Deployment with its volume, Service and disruption budget. Nothing is applied.',
    )
    .addOption(
      new Option('-n, --namespace <name>', 'where it runs')
        .argParser(matching(LABEL, 'a DNS label'))
        .default('outrider-system'),
    )
    .option('--image <name>', 'of the control plane', defaultImage)
    .option('--storage-class <name>', "of its volume (default: the cluster's)")
    .addOption(
      new Option('--storage <size>', 'of its volume')
        .argParser(matching(QUANTITY, 'a size such as 1Gi'))
        .default('1Gi'),
    )
    .option('--output-dir <folder>', 'writes them into a folder, as a base for Kustomize')
    .addHelpText('after', '\nExample:\n  outrider install --image registry.example/outrider:1 | kubectl apply -f -\n')
    .action(({ outputDir, ...flags }: InstallFlags) => {
      const files = installManifests(flags);
      if (outputDir === undefined) {
        process.stdout.write([...files.values()].join('---\n'));
        return;
      }
      try {
        writeBase(outputDir, files);
      } catch (error) {
        report(error);
      }
    });
};

/** @throws Failure */
const writeBase = (folder: string, files: ReadonlyMap<string, string>): void => {
  try {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of files) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'kustomization.yaml'), kustomization([...files.keys()]));
  } catch (error) {
    throw new Failure(`cannot write the manifests: ${(error as Error).message}`);
  }
};

const matching =
  (pattern: RegExp, what: string) =>
  (text: string): string => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`It must be ${what}.`);
    return text;
  };
