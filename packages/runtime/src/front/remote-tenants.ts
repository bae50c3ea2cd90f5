/** The tenants as a front knows them: by the digests of their tokens, with the limits left to the main process, so that they hold for all fronts together. */
import { holderOf, type Tenant, type TenantDigests, type TokenHolders } from '../open-inference/tenants/tenants.js';

/** Knows who shows a token; `take` asks for one of the limit of a tenant. */
export class RemoteTenants implements TokenHolders {
  readonly #take: (name: string) => Promise<number>;
  #key = Buffer.alloc(0);
  #byDigest: ReadonlyMap<string, Tenant> = new Map();

  constructor(digests: TenantDigests, take: (name: string) => Promise<number>) {
    this.#take = take;
    this.replace(digests);
  }

  /** Knows others from now on. */
  replace({ key, tenants }: TenantDigests): void {
    this.#key = Buffer.from(key, 'base64');
    this.#byDigest = new Map(
      tenants.map(({ digest, name, limited }) => [
        digest,
        { name, bucket: limited ? { take: () => this.#take(name) } : undefined },
      ]),
    );
  }

  identify(header: unknown): Tenant {
    return holderOf(header, this.#key, this.#byDigest);
  }
}
