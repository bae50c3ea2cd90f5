/** Service account of the pod of this process, as its token names it. */
import { readFile } from 'node:fs/promises';
import type { OwnerReference } from '../kube-object.js';

const TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const MOST_CHARACTERS = 65_536;

export interface PodAccount {
  readonly namespace: string;
  /** Objects with this owner are deleted when the account is deleted. */
  readonly owner: OwnerReference;
}

/** Undefined without a token, or if it names no account. */
export async function podAccount(file = TOKEN_FILE): Promise<PodAccount | undefined> {
  const token = await readFile(file, 'utf8').catch(() => '');
  return token.length > MOST_CHARACTERS ? undefined : accountOf(token);
}

interface Claims {
  readonly 'kubernetes.io'?: {
    readonly namespace?: unknown;
    readonly serviceaccount?: { readonly name?: unknown; readonly uid?: unknown };
  };
}

/** Account in the claims of a bound token (JWT). The API server has checked the token, so its signature does not matter. */
function accountOf(token: string): PodAccount | undefined {
  const { namespace, serviceaccount } = claimsOf(token)?.['kubernetes.io'] ?? {};
  const { name, uid } = serviceaccount ?? {};
  if (typeof namespace !== 'string' || typeof name !== 'string' || typeof uid !== 'string') return undefined;
  return { namespace, owner: { apiVersion: 'v1', kind: 'ServiceAccount', name, uid } };
}

function claimsOf(token: string): Claims | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined;
  }
}
