import { type Identity, type IssueOptions, Pki } from '@vitalwire/runtime';
import { removeTempDir, tempDir } from './temp-dir.ts';

/** A certificate authority in a directory of its own, with one call per kind of identity. */
export class TestPki {
  readonly dir: string;
  readonly pki: Pki;

  private constructor(dir: string, pki: Pki) {
    this.dir = dir;
    this.pki = pki;
  }

  static async create(): Promise<TestPki> {
    const dir = tempDir('vw-pki-');
    return new TestPki(dir, await Pki.open(dir));
  }

  get caPath(): string {
    return this.pki.caPath;
  }

  gateway(id: string, options: Partial<IssueOptions> = {}): Promise<Identity> {
    return this.pki.ensure(id, { ...options, kind: 'gateway' });
  }

  service(name: string, options: Partial<IssueOptions> = {}): Promise<Identity> {
    return this.pki.ensure(name, { ...options, kind: 'service' });
  }

  remove(): void {
    removeTempDir(this.dir);
  }
}
