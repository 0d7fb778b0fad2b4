import { Fields } from '../head.ts';

const MAX_ENTRIES = 500;
const MAX_KEY_CHARACTERS = 4_096;

/** The same stable fields, the same object. A full table is emptied: simple, and rare. Owned by a head builder. */
export class FieldIntern {
  private readonly known = new Map<string, Fields>();

  get(list: string[], shape: string): Fields {
    const key = `${shape}\n${list.join('\n')}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const fields = new Fields(list, shape);
    if (key.length > MAX_KEY_CHARACTERS) return fields;
    if (this.known.size >= MAX_ENTRIES) this.known.clear();
    this.known.set(key, fields);
    return fields;
  }
}
