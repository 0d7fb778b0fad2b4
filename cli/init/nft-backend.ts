import { type Backend, succeeded } from './backend.ts';
import type { Machine } from './machine.ts';
import { findTables, renderNft } from './nft.ts';

const PACKAGE = 'nftables';

/** nf_tables, by nft(8). Each change is one transaction. */
export const nftBackend = (machine: Machine): Backend => {
  const ourTables = async (): Promise<readonly string[] | undefined> => {
    const finished = await machine.run('nft', ['list', 'tables']);
    return finished && findTables(succeeded('nft', PACKAGE, finished));
  };
  const feed = async (ruleset: string): Promise<void> => {
    succeeded('nft', PACKAGE, await machine.run('nft', ['-f', '-'], ruleset));
  };
  const deletions = (tables: readonly string[]): string => tables.map(table => `delete ${table}\n`).join('');
  return {
    name: 'nft',
    print: renderNft,
    install: async (rules, hasIPv6) => {
      const before = (await ourTables()) ?? [];
      await feed(deletions(before) + renderNft(rules, hasIPv6));
    },
    remove: async () => {
      const tables = await ourTables();
      if (tables === undefined) return 'not installed';
      if (tables.length === 0) return 'nothing there';
      await feed(deletions(tables));
      return 'removed';
    },
  };
};
