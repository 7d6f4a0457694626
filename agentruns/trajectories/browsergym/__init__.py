"""Format J: the folders of BrowserGym and AgentLab, of which no pickle is ever loaded."""
