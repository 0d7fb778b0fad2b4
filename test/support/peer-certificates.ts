/** Certificates for tests, good and bad: what tests import. */
export * from './svid-violations.ts';
export * from './test-mesh.ts';
