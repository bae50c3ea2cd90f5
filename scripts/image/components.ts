/** The list of components (SBOM) of an image, in the CycloneDX format: Node, libraries of Debian, npm packages, Equipoise. */
import { ComponentType } from '@cyclonedx/cyclonedx-library/Enums';
import { Bom, Component, LicenseExpression, NamedLicense, SpdxLicense } from '@cyclonedx/cyclonedx-library/Models';
import { JSON as Json, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize';
import { isSupportedSpdxId } from '@cyclonedx/cyclonedx-library/SPDX';
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec';
import type { NeededPackage, PackageManifest } from './package-files.js';
import type { SystemPackage } from './system-files.js';

export interface Components {
  readonly release: PackageManifest;
  readonly packages: readonly NeededPackage[];
  readonly system: readonly SystemPackage[];
}

/** The document as text. Without time and serial number, so that equal images have equal lists. */
export function componentList({ release, packages, system }: Components): string {
  const product = npmComponent(release, ComponentType.Container);
  const node = component('node', process.versions.node, `pkg:generic/node@${process.versions.node}`);
  node.licenses.add(new SpdxLicense('MIT'));
  const parts = [
    node,
    ...system.map(({ name, version }) =>
      component(name, version, `pkg:deb/debian/${name}@${encodeURIComponent(version)}`),
    ),
    ...packages.map(({ manifest }) => npmComponent(manifest, ComponentType.Library)),
  ];
  const bom = new Bom();
  bom.metadata.component = product;
  const known = new Set<string>();
  for (const part of parts) {
    const { value = '' } = part.bomRef;
    if (known.has(value)) continue;
    known.add(value);
    bom.components.add(part);
    product.dependencies.add(part.bomRef);
  }
  const serializer = new JsonSerializer(new Json.Normalize.Factory(Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 1 })}\n`;
}

function npmComponent({ name, version, license }: PackageManifest, type: ComponentType): Component {
  const made = component(name, version, `pkg:npm/${name.replace(/^@/, '%40')}@${version}`, type);
  if (license !== undefined) made.licenses.add(licenseOf(license));
  return made;
}

function licenseOf(text: string): LicenseExpression | NamedLicense | SpdxLicense {
  if (isSupportedSpdxId(text)) return new SpdxLicense(text);
  return / (AND|OR|WITH) /.test(text) ? new LicenseExpression(text) : new NamedLicense(text);
}

const component = (name: string, version: string, purl: string, type = ComponentType.Library): Component =>
  new Component(type, name, { version, purl, bomRef: purl });
