import { ForgeCommand } from '../src/cli/base-command.js';
import type { VersionResult } from '../src/cli/schemas.js';

export default class Version extends ForgeCommand<VersionResult> {
  static override summary = 'Show the versions of forge, Node and this system';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];

  async run(): Promise<VersionResult> {
    await this.parse(Version);
    const { name, version, platform, arch } = this.config;
    return { name, version, node: process.versions.node, platform, arch };
  }

  protected override render({ name, version, node, platform, arch }: VersionResult): string {
    return `${name}/${version} ${platform}-${arch} node-v${node}`;
  }
}
