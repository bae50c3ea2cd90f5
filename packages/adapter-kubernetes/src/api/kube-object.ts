/** Objects of a Kubernetes API as plain data, and the types of resources that hold them. */

/** One entry of `metadata.managedFields`: which fields a manager owns, as a tree whose keys are `f:NAME`, `k:{KEYS}`, `v:VALUE` or `.`. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: 'Apply' | 'Update';
  readonly subresource?: string;
  readonly apiVersion?: string;
  readonly time?: string;
  readonly fieldsV1?: FieldTree;
}

/** Field names as Kubernetes writes them; an empty tree is a field owned as a whole. */
export interface FieldTree {
  readonly [key: string]: FieldTree;
}

/** Whose child an object is; the garbage collector deletes children after their controller. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** What every object says of itself. The server fills in what is missing here of `uid` to `managedFields`. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** Counts the changes of the spec, where the resource has a status of its own. */
  readonly generation?: number;
  readonly creationTimestamp?: string;
  /** Set while finalizers keep an object that was deleted. */
  readonly deletionTimestamp?: string;
  readonly managedFields?: readonly ManagedFields[];
}

/** Any object; what is beside the metadata is the kind's own. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A type of resource; `group` is empty for the core group. `T` is the form of its objects. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Never set: it ties the type of the objects to the resource. */
  readonly objectForm?: T;
}

/** One object by name; `namespace` where the resource has namespaces. */
export interface ObjectRef<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  readonly namespace?: string;
  readonly name: string;
}

/** `GROUP/VERSION` as objects write it, only the version for the core group. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** `NAMESPACE/NAME`, only the name where there is no namespace: one object among those of its resource. */
export function objectKey({ namespace, name }: Pick<ObjectMeta, 'namespace' | 'name'>): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The reference to an object that is at hand. */
export function refTo<T extends KubeObject>(type: ResourceType<T>, object: T): ObjectRef<T> {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? { type, name } : { type, namespace, name };
}

/** Where the API server keeps a resource: `/api/v1/…` for the core group, `/apis/GROUP/VERSION/…` for the others. */

/** The path of all objects of a resource, in one namespace or in all. */
export function collectionPath(type: ResourceType, namespace: string | undefined): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const inside = type.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${inside}/${type.plural}`;
}

/** The path of one object, or of a subresource of it. */
export function objectPath(ref: ObjectRef, subresource?: 'status' | 'scale'): string {
  const path = `${collectionPath(ref.type, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}
