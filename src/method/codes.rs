//! The error codes of Bitrix24, each with its class. Owns their spelling and meaning; a code that is not among them is
//! kept as it came.
//!
//! Sources: the documentation's page of each method, its table of system errors, and the official clients.

use super::error::ErrorClass;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Declares [`ErrorCode`]: meaning, variant, code, class.
macro_rules! codes {
    ($($(#[$meaning:meta])+ $variant:ident = $code:literal, $class:ident;)+) => {
        /// An `error` code of Bitrix24. Codes are compared in their exact case.
        ///
        /// ```
        /// use imbot::method::{ErrorClass, ErrorCode};
        /// let code = ErrorCode::from("BOT_NOT_FOUND");
        /// assert_eq!(code, ErrorCode::BotNotFound);
        /// assert_eq!(code.class(), Some(ErrorClass::BotGone));
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(
                #[doc = concat!("`", $code, "`, class ", stringify!($class), ".")]
                ///
                $(#[$meaning])+
                $variant,
            )+
            /// A code that is not in the catalogue.
            Other(String),
        }

        impl ErrorCode {
            /// Every code of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as the portal writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// What kind of failure it is when a method answers with it; `None` for a code that is not in the catalogue.
            #[must_use]
            pub const fn class(&self) -> Option<ErrorClass> {
                match self {
                    $(Self::$variant => Some(ErrorClass::$class),)+
                    Self::Other(_) => None,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(code: &str) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    // Seen in capitals too.
                    "WRONG_CLIENT" => Self::WrongClient,
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

codes! {
    /// Fault inside the portal.
    InternalServerError = "INTERNAL_SERVER_ERROR", Transient;
    /// Fault inside the portal: an answer it did not expect itself.
    ErrorUnexpectedAnswer = "ERROR_UNEXPECTED_ANSWER", Transient;
    /// The request counter of the portal is over its threshold.
    QueryLimitExceeded = "QUERY_LIMIT_EXCEEDED", Limit;
    /// This method has used up its time budget for this application or webhook.
    OperationTimeLimit = "OPERATION_TIME_LIMIT", Limit;
    /// A batch in a batch, or a method named `download` or `upload`.
    ErrorBatchMethodNotAllowed = "ERROR_BATCH_METHOD_NOT_ALLOWED", Invalid;
    /// More than 50 commands; each surplus command gets this error.
    ErrorBatchLengthExceeded = "ERROR_BATCH_LENGTH_EXCEEDED", Invalid;
    /// No usable authorisation in the request.
    NoAuthFound = "NO_AUTH_FOUND", Auth;
    /// Plain HTTP was used.
    InvalidRequest = "INVALID_REQUEST", Fatal;
    /// The vendor blocked this application or webhook by hand.
    OverloadLimit = "OVERLOAD_LIMIT", Fatal;
    /// The user lacks rights; observed portals: user number and webhook code do not belong together.
    InvalidCredentials = "INVALID_CREDENTIALS", Auth;
    /// Not relevant to bots.
    ErrorManifestIsNotAvailable = "ERROR_MANIFEST_IS_NOT_AVAILABLE", Invalid;
    /// The identity lacks a scope (`imbot`, `im`). The authorisation server gives it another class: see
    /// [`ErrorCode::class_at_auth_server`].
    InsufficientScope = "insufficient_scope", Auth;
    /// Access token older than an hour.
    ExpiredToken = "expired_token", Auth;
    /// The administrator limited the application to some users.
    UserAccessError = "user_access_error", Auth;
    /// Portal closed or deleted.
    PortalDeleted = "PORTAL_DELETED", Fatal;
    /// Unknown method, or an old self-hosted portal without `imbot.v2`.
    ErrorMethodNotFound = "ERROR_METHOD_NOT_FOUND", Invalid;
    /// Token not known to the portal.
    InvalidToken = "invalid_token", Auth;
    /// User of the token is inactive or cannot log in.
    AuthorizationError = "authorization_error", Auth;
    /// Application removed or inactive on the portal.
    ApplicationNotFound = "APPLICATION_NOT_FOUND", Fatal;
    /// Application not installed (authorisation server).
    NotInstalled = "NOT_INSTALLED", Fatal;
    /// General OAuth failure.
    ErrorOauth = "ERROR_OAUTH", Auth;
    /// The portal could not reach the authorisation server.
    ConnectionError = "CONNECTION_ERROR", Transient;
    /// Trial or paid period over.
    PaymentRequired = "PAYMENT_REQUIRED", Fatal;
    /// Method not open to this kind of authorisation.
    WrongAuthType = "WRONG_AUTH_TYPE", Invalid;
    /// User is extranet.
    AllowedOnlyIntranetUser = "ALLOWED_ONLY_INTRANET_USER", Auth;
    /// An administrator must confirm the call.
    MethodConfirmWaiting = "METHOD_CONFIRM_WAITING", Transient;
    /// An administrator refused the call.
    MethodConfirmDenied = "METHOD_CONFIRM_DENIED", Access;
    /// The portal could not encode its answer.
    WrongEncoding = "WRONG_ENCODING", Transient;
    /// Webhook-authorised call came without `botToken`.
    BotTokenNotSpecified = "BOT_TOKEN_NOT_SPECIFIED", Auth;
    /// `fields.code` is empty.
    BotCodeRequired = "BOT_CODE_REQUIRED", Invalid;
    /// `fields.properties.name` is empty.
    BotPropertiesRequired = "BOT_PROPERTIES_REQUIRED", Invalid;
    /// Another application already owns a bot with this code.
    BotCodeAlreadyTaken = "BOT_CODE_ALREADY_TAKEN", Invalid;
    /// `fields.type` is outside the allowed list.
    BotInvalidType = "BOT_INVALID_TYPE", Invalid;
    /// `fields.eventMode` is neither fetch nor webhook.
    BotInvalidEventMode = "BOT_INVALID_EVENT_MODE", Invalid;
    /// `eventMode` is webhook but `webhookUrl` is empty.
    BotWebhookUrlRequired = "BOT_WEBHOOK_URL_REQUIRED", Invalid;
    /// The portal failed to create the bot.
    BotRegisterFailed = "BOT_REGISTER_FAILED", Transient;
    /// `webhookUrl` is not an acceptable handler address.
    BotInvalidCallback = "BOT_INVALID_CALLBACK", Invalid;
    /// The application already has 100 bots.
    BotLimitExceeded = "BOT_LIMIT_EXCEEDED", Invalid;
    /// Avatar bytes are not an image.
    BotAvatarIncorrectType = "BOT_AVATAR_INCORRECT_TYPE", Invalid;
    /// Avatar is larger than 5000 x 5000 px.
    BotAvatarIncorrectSize = "BOT_AVATAR_INCORRECT_SIZE", Invalid;
    /// `botToken` is longer than 40 characters.
    BotTokenInvalidLength = "BOT_TOKEN_INVALID_LENGTH", Invalid;
    /// `botId` is missing, zero or not a number.
    BotIdRequired = "BOT_ID_REQUIRED", Invalid;
    /// No bot with this id or code exists on the portal (it was deleted).
    BotNotFound = "BOT_NOT_FOUND", BotGone;
    /// The bot belongs to another application, or the `botToken` is not (any more) the one bound to it.
    BotOwnershipError = "BOT_OWNERSHIP_ERROR", Auth;
    /// The new `botToken` could not be bound (for example it is already used); no reason is disclosed.
    BotTokenRotationFailed = "BOT_TOKEN_ROTATION_FAILED", Invalid;
    /// Neither `botId` nor code was given.
    ParamsRequired = "PARAMS_REQUIRED", Invalid;
    /// The portal failed to delete the bot.
    BotUnregisterFailed = "BOT_UNREGISTER_FAILED", Transient;
    /// No right to this chat or message, usually because the bot is not in it. A portal whose plan has no REST
    /// gives the same code: see [`ErrorCode::class_said`].
    AccessDenied = "ACCESS_DENIED", Access;
    /// `userIds` is missing or empty.
    EmptyUserIds = "EMPTY_USER_IDS", Invalid;
    /// No text and no attachment left after trimming.
    EmptyMessage = "EMPTY_MESSAGE", Invalid;
    /// The portal failed to store the message.
    SendingFailed = "SENDING_FAILED", Transient;
    /// The attachment has a wrong shape; some portals say so when it is too big, too.
    AttachError = "ATTACH_ERROR", Invalid;
    /// The serialized attachment is over 60,000 characters.
    AttachOversize = "ATTACH_OVERSIZE", Invalid;
    /// The keyboard structure is wrong.
    KeyboardError = "KEYBOARD_ERROR", Invalid;
    /// More than 100 messages to forward.
    TooManyMessages = "TOO_MANY_MESSAGES", Invalid;
    /// A message with this uuid is being created right now.
    MessageDuplicatedByUuid = "MESSAGE_DUPLICATED_BY_UUID", Transient;
    /// The message does not exist or is out of reach.
    MessageNotFound = "MESSAGE_NOT_FOUND", Invalid;
    /// The method is open only to supervisor and personal bots.
    BotTypeNotAllowed = "BOT_TYPE_NOT_ALLOWED", Access;
    /// The bot is not in the chat of the message or may not see its history.
    MessageAccessDenied = "MESSAGE_ACCESS_DENIED", Access;
    /// Unknown reaction code.
    ReactionNotFound = "REACTION_NOT_FOUND", Invalid;
    /// The bot already put this reaction; count it as success.
    ReactionAlreadySet = "REACTION_ALREADY_SET", Invalid;
    /// The command name is not a string.
    CommandNameInvalid = "COMMAND_NAME_INVALID", Invalid;
    /// `fields.command` is missing.
    CommandRequired = "COMMAND_REQUIRED", Invalid;
    /// A visible command came without `fields.title`.
    CommandTitleRequired = "COMMAND_TITLE_REQUIRED", Invalid;
    /// The portal failed to register the command.
    CommandRegisterFailed = "COMMAND_REGISTER_FAILED", Transient;
    /// No such command, or it belongs to another bot.
    CommandNotFound = "COMMAND_NOT_FOUND", Invalid;
    /// An empty new name was given.
    CommandNameEmpty = "COMMAND_NAME_EMPTY", Invalid;
    /// This bot already has a command with that name.
    CommandAlreadyExists = "COMMAND_ALREADY_EXISTS", Invalid;
    /// The answer could not be sent, also when message and command do not belong together or the right has run out.
    CommandAnswerFailed = "COMMAND_ANSWER_FAILED", Transient;
    /// `withUserEvents` needs the im scope, which was not granted.
    ScopeError = "SCOPE_ERROR", Auth;
    /// The calling user could not be determined.
    AuthError = "AUTH_ERROR", Auth;
    /// `im.v2.Event.subscribe` was never called for this user.
    UserNotSubscribed = "USER_NOT_SUBSCRIBED", Access;
    /// File name or content is missing.
    FileEmpty = "FILE_EMPTY", Invalid;
    /// Content is not valid base64.
    FileInvalidContent = "FILE_INVALID_CONTENT", Invalid;
    /// The folder of the chat could not be opened.
    FileFolderError = "FILE_FOLDER_ERROR", Transient;
    /// The portal failed to store the file.
    FileUploadFailed = "FILE_UPLOAD_FAILED", Unknown;
    /// The file was stored but the chat message was not created; a retry stores a second copy.
    FileSendFailed = "FILE_SEND_FAILED", Unknown;
    /// File is over 100 MB.
    FileTooLarge = "FILE_TOO_LARGE", Invalid;
    /// No right to download this file.
    FileAccessError = "FILE_ACCESS_ERROR", Access;
    /// No file with this id.
    FileNotFound = "FILE_NOT_FOUND", Invalid;
    /// No chat behind `dialogId`.
    ChatNotFound = "CHAT_NOT_FOUND", Invalid;
    /// The folder of the chat could not be opened.
    FolderError = "FOLDER_ERROR", Transient;
    /// The portal failed to store the file.
    UploadFailed = "UPLOAD_FAILED", Unknown;
    /// The chat message for the file was not created.
    SendFailed = "SEND_FAILED", Unknown;
    /// `CHAT_ID` was not given.
    ChatIdEmpty = "CHAT_ID_EMPTY", Invalid;
    /// The operation is not possible in this chat.
    AccessError = "ACCESS_ERROR", Access;
    /// The bot was not found.
    BotIdError = "BOT_ID_ERROR", BotGone;
    /// The bot was installed by another application.
    AppIdError = "APP_ID_ERROR", Auth;
    /// A malformed token request. Not `INVALID_REQUEST`, which is about HTTPS.
    OauthRequestInvalid = "invalid_request", Transient;
    /// `client_id` / `client_secret` wrong, or application not installed.
    InvalidClient = "invalid_client", Fatal;
    /// As `invalid_client`; seen with HTTP 200, so the body decides.
    WrongClient = "wrong_client", Fatal;
    /// Refresh token (or code) invalid, used up or older than 180 days.
    InvalidGrant = "invalid_grant", Fatal;
    /// As `invalid_grant`.
    BadVerificationCode = "bad_verification_code", Fatal;
    /// Asked for more rights than the application card has.
    InvalidScope = "invalid_scope", Transient;
    /// This chat is not led by the bot, or the user cannot take it (open lines).
    WrongChat = "WRONG_CHAT", Invalid;
    /// A transfer names neither a user nor a queue (open lines).
    UserIdEmpty = "USER_ID_EMPTY", Invalid;
    /// The context was not taken: the dialog has no bot that hears it.
    BotContextError = "BOT_CONTEXT_ERROR", Invalid;
    /// No code of Bitrix24: the authorisation server answered 404, it does not know the portal.
    PortalUnknown = "(HTTP 404)", Transient;
    /// No code of Bitrix24: the authorisation server answered 5xx or not at all. Keep the refresh token.
    AuthServerDown = "(HTTP 5xx, network)", Transient;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}
