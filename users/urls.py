from django.urls import include, path, re_path

from users import views
from users.views import (
    entrance,
    passwords,
    personal,
    profile,
    security,
    verification,
    ways_in,
)

app_name = "users"

# Second factors
mfa = [
    path("", security.IndexView.as_view(), name="mfa_index"),
    path("authenticate/", security.AuthenticateView.as_view(), name="mfa_authenticate"),
    path(
        "reauthenticate/",
        security.ReauthenticateView.as_view(),
        name="mfa_reauthenticate",
    ),
    path(
        "totp/activate/",
        security.ActivateTOTPView.as_view(),
        name="mfa_activate_totp",
    ),
    path(
        "totp/deactivate/",
        security.DeactivateTOTPView.as_view(),
        name="mfa_deactivate_totp",
    ),
    path(
        "recovery-codes/",
        security.RecoveryCodesView.as_view(),
        name="mfa_view_recovery_codes",
    ),
    path(
        "recovery-codes/generate/",
        security.GenerateRecoveryCodesView.as_view(),
        name="mfa_generate_recovery_codes",
    ),
    path("webauthn/", security.PasskeyListView.as_view(), name="mfa_list_webauthn"),
    path("webauthn/add/", security.PasskeyAddView.as_view(), name="mfa_add_webauthn"),
    path(
        "webauthn/reauthenticate/",
        security.PasskeyReauthenticateView.as_view(),
        name="mfa_reauthenticate_webauthn",
    ),
    path(
        "webauthn/keys/<int:pk>/edit/",
        security.PasskeyEditView.as_view(),
        name="mfa_edit_webauthn",
    ),
    path(
        "webauthn/keys/<int:pk>/remove/",
        security.PasskeyRemoveView.as_view(),
        name="mfa_remove_webauthn",
    ),
]

# Accounts elsewhere
socialaccount = [
    path("", security.ConnectionsView.as_view(), name="socialaccount_connections"),
    path("signup/", security.SocialSignupView.as_view(), name="socialaccount_signup"),
    path(
        "login/cancelled/",
        security.LoginCancelledView.as_view(),
        name="socialaccount_login_cancelled",
    ),
    path(
        "login/error/",
        security.LoginErrorView.as_view(),
        name="socialaccount_login_error",
    ),
]

password = [
    path(
        "change/",
        passwords.PasswordChangeView.as_view(),
        name="account_change_password",
    ),
    path("set/", passwords.PasswordSetView.as_view(), name="account_set_password"),
    path(
        "reset/", passwords.PasswordResetView.as_view(), name="account_reset_password"
    ),
    path(
        "reset/done/",
        passwords.PasswordResetDoneView.as_view(),
        name="account_reset_password_done",
    ),
    path(
        "reset/key/done/",
        passwords.PasswordResetFromKeyDoneView.as_view(),
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        passwords.PasswordResetFromKeyView.as_view(),
        name="account_reset_password_from_key",
    ),
]

addresses = [
    path("add/", profile.AddressAddView.as_view(), name="address-add"),
    path("<int:pk>/", profile.AddressEditView.as_view(), name="address-edit"),
    path(
        "<int:pk>/delete/",
        profile.AddressDeleteView.as_view(),
        name="address-delete",
    ),
    path(
        "<int:pk>/default/",
        profile.AddressMakeDefaultView.as_view(),
        name="address-default",
    ),
]

# allauth's own patterns come after these. A view that takes the place of one of
# allauth's keeps its path and its name, so that reverse("account_email") finds ours.
urlpatterns = [
    path("signup/", views.UserRegistrationView.as_view(), name="signup"),
    path("login/", views.UserLoginView.as_view(), name="login"),
    path("logout/", views.UserLogoutView.as_view(), name="logout"),
    path("inactive/", entrance.InactiveView.as_view(), name="account_inactive"),
    path("profile/", views.UserProfileView.as_view(), name="profile"),
    path("addresses/", include(addresses)),
    path("data/", personal.DataView.as_view(), name="data"),
    path("data/download/", personal.DataDownloadView.as_view(), name="data-download"),
    path("data/delete/", personal.AccountDeleteView.as_view(), name="data-delete"),
    path(
        "confirm-email/",
        verification.VerificationSentView.as_view(),
        name="verification-resend",
    ),
    re_path(
        r"^confirm-email/(?P<key>[-:\w]+)/$",
        views.EmailVerificationView.as_view(),
        name="account_confirm_email",
    ),
    path("email/", security.EmailView.as_view(), name="account_email"),
    path(
        "reauthenticate/",
        passwords.ReauthenticateView.as_view(),
        name="account_reauthenticate",
    ),
    path(
        "reauthenticate/code/",
        passwords.RequestCodeView.as_view(),
        name="account_request_reauthentication_code",
    ),
    path(
        "reauthenticate/code/confirm/",
        passwords.ConfirmCodeView.as_view(),
        name="account_confirm_reauthentication_code",
    ),
    path("password/", include(password)),
    path("ways-in/", ways_in.WaysInView.as_view(), name="ways-in"),
    path(
        "ways-in/<int:pk>/disconnect/",
        ways_in.DisconnectView.as_view(),
        name="disconnect",
    ),
    path("sessions/", security.SessionListView.as_view(), name="usersessions_list"),
    path("2fa/", include(mfa)),
    path("3rdparty/", include(socialaccount)),
    path("", include("users.oauth.urls")),
]
