//! Installations of an application, as a test sees and decides them. Adds to the stage what `imbot portals` does.

use super::stage::Stage;
use serde_json::Value;

impl Stage {
    /// The installations as `imbot portals list --json` shows them.
    ///
    /// # Panics
    /// If the store has failed.
    pub async fn installations(&mut self) -> Vec<Value> {
        let identities = self.running().identities.clone();
        let listed = identities.listed().await.unwrap_or_else(|error| panic!("{error}"));
        listed["portals"].as_array().cloned().unwrap_or_default()
    }

    /// `imbot portals accept`: the name under which the portal is served now, or why not.
    ///
    /// # Errors
    /// What an operator is told.
    pub async fn accept_portal(&mut self, portal: &str, name: Option<&str>) -> Result<String, String> {
        let identities = self.running().identities.clone();
        identities.accept(portal, name).await.map_err(|error| error.to_string())
    }

    /// `imbot portals forget`.
    ///
    /// # Errors
    /// What an operator is told.
    pub async fn forget_portal(&mut self, portal: &str) -> Result<String, String> {
        let identities = self.running().identities.clone();
        identities.forget(portal).await.map_err(|error| error.to_string())
    }
}
