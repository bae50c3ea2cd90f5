/** An identity that may change as the library of gRPC wants it. */
import { ServerCredentials } from '@grpc/grpc-js';
import type { CertifiedKey, TlsIdentity } from '../tls-identity.js';

/** Credentials that follow an identity; connections that are open keep the one that they began with. */
export class TlsCredentials extends ServerCredentials {
  constructor(tls: TlsIdentity) {
    super({}, contextOf(tls.current));
    tls.onChange((identity) => this.updateSecureContextOptions(contextOf(identity)));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

const contextOf = ({ cert, key }: CertifiedKey) => ({ cert, key });
