import { indexContract } from "./contract.ts";
import { memoryIndex } from "./memory.ts";

indexContract("memory index", () => Promise.resolve(memoryIndex()));
