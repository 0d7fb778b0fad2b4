/** Versions made from the content: the same state has the same version, on both sides and after every restart. */
import { hash } from 'node:crypto';

/** 12 characters: 72 bits of SHA-256, enough to tell states of one mesh apart. */
export const contentVersion = (text: string): string => hash('sha256', text, 'base64url').slice(0, 12);
