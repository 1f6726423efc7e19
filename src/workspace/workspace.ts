/** The paths of one workspace: the folder with `forge.yaml` and the `.forge/` beside it. */
export interface Workspace {
  root: string;
  forgeDir: string;
  credentials: string;
  generated: string;
  logs: string;
  run: string;
  data: string;
  configFile: string;
  /** Short and stable name of this workspace, in process arguments and names of things that it owns. */
  id: string;
}
